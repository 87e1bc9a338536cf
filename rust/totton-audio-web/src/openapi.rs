//! The API's description, OpenAPI 3.1, generated from the routes that it is given.

use std::collections::BTreeSet;

use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse};
use utoipa::OpenApi;
use utoipa::openapi::path::Operation;
use utoipa::openapi::{ContentBuilder, PathItem, Ref, ResponseBuilder};
use utoipa_actix_web::AppExt;
use utoipa_actix_web::service_config::ServiceConfig;

use crate::problem::{self, Problem};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Totton Audio",
        description = "The HTTP API of the device. A request that changes something carries \
            `Content-Type: application/json` (or `application/octet-stream` for a file) and comes \
            from the device's own page or from a program that sends no `Origin`. A browser must have \
            opened the page before, which hands out the cookie `totton-page`; what is sent without it \
            shares the pace and the places that are not kept for the page. Every error is \
            `application/problem+json` with what to do. Where a password is set, log in at \
            `/api/v1/session` first: everything but `health`, `session` and this description then \
            needs its cookie. Nothing here needs the internet."
    ),
    tags(
        (name = "stream", description = "What plays, and what is done to it at once"),
        (name = "settings", description = "What a listener sets, and the DACs"),
        (name = "equaliser", description = "Two equalisers to compare, and kept ones"),
        (name = "filters", description = "The filters: list, upload, plot"),
        (name = "presets", description = "The sound under a name"),
        (name = "backup", description = "Everything that a user has set, in one file"),
        (name = "update", description = "A signed bundle, by SWUpdate; the feed that releases come from"),
        (name = "headphones", description = "Headphone equalisers of OPRA, CC BY-SA 4.0"),
        (name = "system", description = "The device: services, board, clock, power"),
        (name = "logs", description = "The journal"),
        (name = "session", description = "The optional password"),
        (name = "description", description = "This description"),
    ),
    components(schemas(problem::Members))
)]
struct Base;

/// The description as it is served, and what it says of methods.
pub struct Description {
    json: Bytes,
    /// Each path's segments (none for a parameter) and its methods.
    methods: Vec<(Vec<Option<String>>, String)>,
}

impl Description {
    /// Collects `routes`.
    ///
    /// # Errors
    /// Never in practice: the description is JSON by construction.
    pub fn of(routes: impl FnOnce(&mut ServiceConfig)) -> Result<Self, serde_json::Error> {
        let (_, mut document) = actix_web::App::new()
            .into_utoipa_app()
            .openapi(Base::openapi())
            .configure(routes)
            .split_for_parts();
        let mut methods = Vec::new();
        for (path, item) in &mut document.paths.paths {
            let mut allowed = BTreeSet::new();
            for (name, operation) in operations(item) {
                refusals(operation);
                allowed.insert(name);
            }
            let segments =
                path.split('/').map(|part| (!part.starts_with('{')).then(|| part.to_owned()));
            let allowed = allowed.into_iter().collect::<Vec<_>>().join(", ");
            methods.push((segments.collect(), allowed));
        }
        Ok(Self { json: serde_json::to_vec(&document)?.into(), methods })
    }

    /// The whole, as JSON.
    pub fn json(&self) -> Bytes {
        self.json.clone()
    }

    /// The methods of a path, `GET, PUT`; none for a path that is not there.
    pub fn methods(&self, path: &str) -> Option<&str> {
        let found: Vec<_> = path.split('/').collect();
        let fits = |segments: &[Option<String>]| {
            let same = |(wanted, found): (&Option<String>, &&str)| {
                wanted.as_ref().is_none_or(|wanted| wanted == found)
            };
            segments.len() == found.len() && segments.iter().zip(&found).all(same)
        };
        self.methods
            .iter()
            .find(|(segments, _)| fits(segments))
            .map(|(_, allowed)| allowed.as_str())
    }
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = (&'static str, &mut Operation)> {
    [
        ("GET", &mut item.get),
        ("PUT", &mut item.put),
        ("POST", &mut item.post),
        ("PATCH", &mut item.patch),
        ("DELETE", &mut item.delete),
    ]
    .into_iter()
    .filter_map(|(name, operation)| Some((name, operation.as_mut()?)))
}

/// Every operation may be refused, in the same form.
fn refusals(operation: &mut Operation) {
    for (range, description) in [
        ("4XX", "The request is refused; the body says why and what to do"),
        ("5XX", "The device or its audio daemon cannot do it now"),
    ] {
        let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
        let response = ResponseBuilder::new()
            .description(description)
            .content(problem::MEDIA_TYPE, content)
            .build();
        operation.responses.responses.entry(range.to_owned()).or_insert(response.into());
    }
}

/// What is known of a path that no handler took: other methods, or nothing.
pub fn refuse(request: &HttpRequest, description: &Description) -> HttpResponse {
    use actix_web::ResponseError;
    use actix_web::http::header;
    let Some(allowed) = description.methods(request.path()) else {
        return Problem::not_found(request.path()).error_response();
    };
    let mut response =
        Problem::method_not_allowed(request.method().as_str(), allowed).error_response();
    if let Ok(value) = header::HeaderValue::from_str(allowed) {
        response.headers_mut().insert(header::ALLOW, value);
    }
    response
}
