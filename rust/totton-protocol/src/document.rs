//! `docs/protocol.md`, made from the types: their JSON schema holds every name, type and comment.

use std::fmt::Write;

use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::{Map, Value};

use crate::message::{Answer, Command, ErrorCode, MAX_REQUEST_BYTES, PROTOCOL_VERSION, Telemetry};
use crate::settings::SETTINGS_VERSION;
use crate::{Reply, Request, endpoint};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/protocol.md");

#[test]
fn the_document_is_what_the_types_say() {
    let text = document();
    if std::env::var_os("WRITE_PROTOCOL_DOCUMENT").is_some() {
        std::fs::write(FILE, &text).unwrap();
    }
    let stored = std::fs::read_to_string(FILE).unwrap_or_default();
    let differs = stored.lines().zip(text.lines()).position(|(a, b)| a != b);
    assert!(
        stored == text,
        "docs/protocol.md is not what the types say, from line {:?} on; write it anew with\n\
         WRITE_PROTOCOL_DOCUMENT=1 cargo test -p totton-protocol document",
        differs.map(|line| line + 1)
    );
}

fn json<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap()
}

fn document() -> String {
    let mut types = Types::new();
    for root in [
        types.root::<Command>(),
        types.root::<Answer>(),
        types.root::<ErrorCode>(),
        types.root::<Telemetry>(),
    ] {
        assert!(types.all.contains_key(&root), "{root} has a definition");
    }
    let mut text = format!(
        "# The protocol of the audio daemon\n\n\
         Made from the types in `rust/totton-protocol`; do not edit. After a change of the types:\n\
         `WRITE_PROTOCOL_DOCUMENT=1 cargo test -p totton-protocol document`.\n\n\
         The daemon, `gpu_upsampler_alsa`, has two ZeroMQ sockets, mode 0660, group `totton_audio`:\n\n\
         | Socket | Kind | What |\n| --- | --- | --- |\n\
         | `{}` | REP | one request, one reply |\n\
         | `{}` | PUB | [telemetry](#telemetry), twenty times a second |\n\n\
         Every message is one JSON object in one frame. The version is {PROTOCOL_VERSION}; it is \
         raised when an old peer would misread a new message, and a daemon refuses every other \
         version. New fields and new values of a text may come without a new version: a reader \
         leaves out what it does not know.\n\n\
         A request has at most {MAX_REQUEST_BYTES} bytes. What is larger, malformed, unknown or \
         out of range gets an error as its reply and changes nothing. The sockets have threads of \
         their own: neither a flood of requests nor a client that does not read its replies \
         reaches the audio threads. A request is answered within 100 ms, a change of volume or \
         mute within 50 ms: what takes longer is answered with `pending`, and a request `outcome` \
         tells how it ended. Of a listener that does not keep up, the oldest messages are \
         left out.\n\n\
         ```json\n{}\n{}\n{}\n```\n",
        endpoint::CONTROL,
        endpoint::TELEMETRY,
        json(&Request::from(Command::SetGain { gain_db: -6.0 })),
        r#"{"result":"ok","answer":"status","status":{…}}"#,
        json(&Reply::error(ErrorCode::OutOfRange, "gain_db is 6; accepted: -120 to 0 dB")),
    );
    text += "\n## Requests\n\nEach has `version` and `command`, and what the command needs.\n\n";
    types.variants(&mut text, "Command", "command");
    text += "\n## Replies\n\n\
             `result` is `ok` or `error`. With `ok` comes `answer`, and what belongs to it:\n\n";
    types.variants(&mut text, "Answer", "answer");
    text += "\nWith `error` come `code`, `message` (what was found, where, and what is accepted) \
             and, where a text was refused, `line`, from 1.\n\n";
    types.values(&mut text, "ErrorCode");
    text += "\n## Telemetry\n\n";
    types.fields(&mut text, "Telemetry");
    text +=
        &format!("\n## Types\n\nThe settings have a version of their own, {SETTINGS_VERSION}.\n");
    while let Some(name) = types.next_wanted() {
        let _ = write!(text, "\n### {name}\n\n");
        types.definition(&mut text, &name);
    }
    text
}

struct Types {
    generator: schemars::SchemaGenerator,
    all: Map<String, Value>,
    /// Types that have been referred to, in that order, and those already told of.
    wanted: Vec<String>,
    told: usize,
}

impl Types {
    fn new() -> Self {
        let generator = SchemaSettings::draft2020_12().into_generator();
        Self { generator, all: Map::new(), wanted: vec![], told: 0 }
    }

    fn root<T: JsonSchema>(&mut self) -> String {
        let schema = self.generator.subschema_for::<T>();
        self.all = self.generator.definitions().clone();
        reference(schema.as_value()).unwrap()
    }

    fn next_wanted(&mut self) -> Option<String> {
        let name = self.wanted.get(self.told)?.clone();
        self.told += 1;
        Some(name)
    }

    fn definition(&mut self, text: &mut String, name: &str) {
        let schema = &self.all[name];
        if schema.get("properties").is_some() {
            let _ = write!(text, "{}\n\n", described(schema));
            self.fields(text, name);
        } else {
            self.values(text, name);
        }
    }

    /// A table of an object's fields.
    fn fields(&mut self, text: &mut String, name: &str) {
        let schema = self.all[name].clone();
        *text += "| Field | Type | |\n| --- | --- | --- |\n";
        for (field, schema) in schema["properties"].as_object().unwrap() {
            let kind = self.kind(schema);
            let _ = writeln!(text, "| `{field}` | {kind} | {} |", self.about(schema));
        }
    }

    /// A table of a text's values.
    fn values(&self, text: &mut String, name: &str) {
        let schema = &self.all[name];
        let _ = write!(text, "{}\n\n| Value | |\n| --- | --- |\n", described(schema));
        for value in schema["oneOf"].as_array().unwrap() {
            let _ =
                writeln!(text, "| `{}` | {} |", value["const"].as_str().unwrap(), described(value));
        }
    }

    /// A table of the variants that the field `tag` tells apart.
    fn variants(&mut self, text: &mut String, name: &str, tag: &str) {
        let schema = self.all[name].clone();
        let _ = write!(text, "| `{tag}` | With it | |\n| --- | --- | --- |\n");
        for variant in schema["oneOf"].as_array().unwrap() {
            let mut with = vec![];
            for (field, schema) in variant["properties"].as_object().unwrap() {
                if field != tag {
                    let about = self.about(schema);
                    let about = if about.is_empty() { about } else { format!(": {about}") };
                    with.push(format!("`{field}` ({}){about}", self.kind(schema)));
                }
            }
            let value = variant["properties"][tag]["const"].as_str().unwrap();
            let _ =
                writeln!(text, "| `{value}` | {} | {} |", with.join("<br>"), described(variant));
        }
    }

    /// What is said of a field; where nothing is, what is said of its type.
    fn about(&self, schema: &Value) -> String {
        match (described(schema), reference(schema)) {
            (text, Some(name)) if text.is_empty() => described(&self.all[&name]),
            (text, _) => text,
        }
    }

    /// A schema's type in words; remembers the types it refers to.
    fn kind(&mut self, schema: &Value) -> String {
        if let Some(name) = reference(schema) {
            if !self.wanted.contains(&name) {
                self.wanted.push(name.clone());
            }
            return format!("[{name}](#{})", name.to_lowercase());
        }
        if let Some(any) = schema.get("anyOf").and_then(Value::as_array) {
            let kinds: Vec<String> = any.iter().map(|schema| self.kind(schema)).collect();
            return kinds.join(" or ");
        }
        match &schema["type"] {
            Value::Array(kinds) => {
                let kinds: Vec<&str> = kinds.iter().filter_map(Value::as_str).collect();
                kinds.join(" or ")
            }
            Value::String(kind) if kind == "array" => {
                format!("list of {}", self.kind(&schema["items"]))
            }
            Value::String(kind) => kind.clone(),
            other => panic!("a type that this document has no words for: {other} in {schema}"),
        }
    }
}

fn reference(schema: &Value) -> Option<String> {
    let target = schema.get("$ref")?.as_str()?;
    Some(target.rsplit('/').next().unwrap_or(target).to_owned())
}

/// The comment, as Markdown in one line.
fn described(schema: &Value) -> String {
    let text = schema.get("description").and_then(Value::as_str).unwrap_or_default();
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let text = text
        .replace("[`PROTOCOL_VERSION`]", &PROTOCOL_VERSION.to_string())
        .replace("[`SETTINGS_VERSION`]", &SETTINGS_VERSION.to_string())
        .replace("[`MAX_REQUEST_BYTES`]", &format!("{MAX_REQUEST_BYTES} bytes"))
        .replace("[`Levels::SILENCE_DBFS`]", &crate::Levels::SILENCE_DBFS.to_string())
        .replace('|', "\\|");
    // Links of the source's own documentation.
    text.replace("[`", "`").replace("`]", "`")
}
