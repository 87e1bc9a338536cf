// The API's description as a page: every operation, what it takes and what it gives.

import { h } from "/dom.js";

const METHODS = ["get", "put", "post", "patch", "delete"];

const name = (schema) => schema.$ref?.split("/").pop();

/** A schema in a few words. */
function words(schema) {
  if (!schema) return "";
  if (schema.$ref) return name(schema);
  const several = schema.oneOf ?? schema.anyOf ?? schema.allOf;
  if (several) return several.map(words).filter(Boolean).join(schema.allOf ? " and " : " or ");
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  const types = [schema.type].flat();
  if (types.includes("array")) return `list of ${schema.items ? words(schema.items) : schema.prefixItems?.map(words).join(", ") ?? "anything"}`;
  const range = [schema.minimum ?? schema.exclusiveMinimum, schema.maximum].some((limit) => limit !== undefined) ? ` ${schema.minimum ?? ""}…${schema.maximum ?? ""}` : "";
  return types.filter(Boolean).join(" or ") + range;
}

const link = (schema) => {
  const target = name(schema ?? {}) ?? name(schema?.items ?? {});
  return target ? h("a", { href: `#schema-${target}` }, words(schema)) : words(schema);
};

function properties(schema) {
  const all = [schema, ...(schema.allOf ?? [])].flatMap((part) => Object.entries(part.properties ?? {}).map(([key, value]) => [key, value, part.required?.includes(key)]));
  if (all.length === 0) return h("p", { class: "soft" }, words(schema));
  return h("table", { class: "plain" }, h("tbody", {}, all.map(([key, value, required]) =>
    h("tr", {}, h("th", { scope: "row" }, h("code", {}, key), required ? "" : " ?"), h("td", {}, link(value)), h("td", { class: "soft" }, value.description ?? "")))));
}

function operation(path, method, what) {
  const [[type, body] = []] = Object.entries(what.requestBody?.content ?? {});
  const good = Object.entries(what.responses).filter(([status]) => !status.endsWith("XX"));
  return h("section", { class: "card", "aria-label": `${method} ${path}` },
    h("h3", {}, h("code", {}, `${method.toUpperCase()} ${path}`)),
    h("p", {}, what.summary ?? "", what.description ? ` ${what.description}` : ""),
    what.parameters?.length > 0 && h("table", { class: "plain" }, h("caption", { class: "unseen" }, "Parameters"), h("tbody", {}, what.parameters.map((one) =>
      h("tr", {}, h("th", { scope: "row" }, h("code", {}, one.name), one.required ? "" : " ?"), h("td", {}, one.in), h("td", {}, link(one.schema)), h("td", { class: "soft" }, one.description ?? ""))))),
    body && h("p", {}, `Takes ${type}: `, link(body.schema)),
    good.map(([status, answer]) => {
      const [[kind, content] = []] = Object.entries(answer.content ?? {});
      return h("p", {}, `Gives ${status}${kind ? `, ${kind}: ` : ""}`, content ? link(content.schema) : "");
    }));
}

const document_ = await (await fetch("/api/v1/openapi.json")).json();
const groups = new Map(document_.tags.map((tag) => [tag.name, { about: tag.description, operations: [] }]));
for (const [path, item] of Object.entries(document_.paths)) {
  for (const method of METHODS.filter((method) => item[method])) {
    groups.get(item[method].tags?.[0])?.operations.push(operation(path, method, item[method]));
  }
}
document.getElementById("subjects").replaceChildren(...[...groups.keys(), "schemas"].map((subject) => h("a", { href: `#${subject}` }, subject)));
document.getElementById("view").replaceChildren(
  h("div", { class: "view" },
    h("h1", {}, "HTTP API"),
    h("p", {}, `OpenAPI ${document_.openapi}, version ${document_.info.version}. `, document_.info.description),
    [...groups].map(([subject, { about, operations }]) => [h("h2", { id: subject }, `${subject} — ${about}`), operations]),
    h("h2", { id: "schemas" }, "schemas"),
    Object.entries(document_.components.schemas).map(([title, schema]) =>
      h("section", { class: "card", id: `schema-${title}`, "aria-label": title }, h("h3", {}, title), h("p", { class: "soft" }, schema.description ?? ""), properties(schema)))));
