//! The API's description: made from the code, committed as `collector/openapi.json`.

use utoipa::OpenApi;
use utoipa::openapi::PathItem;
use utoipa::openapi::RefOr;
use utoipa::openapi::path::{Operation, Parameter, ParameterIn};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};

use super::operations;

/// What the parts of a profile's address are replaced with for the built-in profile.
const NAMED: &str = "/profiles/{namespace}/{name}";
const BUILT_IN: &str = "/profiles/live";

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Weir",
        description = "What flows where: profiles with their series and top-N tables, exporters with their loss. \
                       All times are Unix milliseconds by the edges' clocks, all lengths of time milliseconds. \
                       Errors are problem documents (RFC 9457). Servers that other machines can reach want \
                       `Authorization: Bearer TOKEN`.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    paths(
        operations::profiles,
        operations::profile,
        operations::series,
        operations::top,
        operations::exporters,
        operations::facts,
        operations::fleet,
        operations::live,
        operations::check_filter,
        operations::openapi,
        operations::metrics,
        operations::healthz,
        operations::readyz,
    )
)]
struct Api;

/// The document. The built-in profile keeps no top-N tables.
pub(super) fn document() -> utoipa::openapi::OpenApi {
    let mut document = Api::openapi();
    document.info.version = env!("CARGO_PKG_VERSION").to_owned();
    let paths = &mut document.paths.paths;
    let named: Vec<_> = paths
        .iter()
        .filter(|(path, _)| path.contains(NAMED) && !path.ends_with("/top"))
        .map(|(p, i)| (p.clone(), i.clone()))
        .collect();
    for (path, item) in named {
        paths.insert(path.replace(NAMED, BUILT_IN), built_in(item));
    }
    for (path, item) in paths.iter_mut() {
        if path.starts_with("/api/") || path == "/metrics" {
            item.get.iter_mut().chain(&mut item.post).for_each(secured);
        }
    }
    let bearer = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
    document.components.get_or_insert_default().add_security_scheme("token", bearer);
    document
}

/// The same for the built-in profile, whose address has no parts to fill in.
fn built_in(mut item: PathItem) -> PathItem {
    if let Some(operation) = &mut item.get {
        operation.operation_id = operation.operation_id.take().map(|id| format!("live_{id}"));
        operation.summary =
            operation.summary.take().map(|text| format!("Of the built-in profile `live`: {text}"));
        if let Some(parameters) = &mut operation.parameters {
            parameters.retain(|parameter| place(parameter) != Some(&ParameterIn::Path));
        }
    }
    item
}

fn place(parameter: &RefOr<Parameter>) -> Option<&ParameterIn> {
    match parameter {
        RefOr::T(parameter) => Some(&parameter.parameter_in),
        RefOr::Ref(_) => None,
    }
}

fn secured(operation: &mut Operation) {
    // The empty one: a server that only its own machine can reach wants none.
    let either = [SecurityRequirement::default(), SecurityRequirement::new("token", [] as [&str; 0])];
    operation.security = Some(either.into());
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `UPDATE_GOLDEN=1` writes it anew.
    #[test]
    fn the_committed_openapi_document_is_what_the_code_says() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");
        let made = format!("{}\n", document().to_pretty_json().unwrap());
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(path, &made).unwrap();
        }
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        assert!(committed == made, "collector/openapi.json is stale: run `make generate` and commit it");
    }

    #[test]
    fn documented_query_parameters_are_those_that_are_read() {
        let document = document();
        for (path, known) in [
            ("/api/v1/profiles/live/series", super::super::series::PARAMETERS),
            ("/api/v1/profiles/{namespace}/{name}/series", super::super::series::PARAMETERS),
            ("/api/v1/profiles/{namespace}/{name}/top", super::super::top::PARAMETERS),
            ("/api/v1/profiles", &[]),
            ("/api/v1/exporters", &[]),
        ] {
            let operation = document.paths.paths[path].get.as_ref().unwrap();
            let parameters = operation.parameters.iter().flatten();
            let mut documented: Vec<&str> = parameters
                .filter(|parameter| place(parameter) == Some(&ParameterIn::Query))
                .map(
                    |parameter| {
                        if let RefOr::T(parameter) = parameter { parameter.name.as_str() } else { "" }
                    },
                )
                .collect();
            let mut known = known.to_vec();
            documented.sort_unstable();
            known.sort_unstable();
            assert_eq!(documented, known, "{path}");
        }
    }
}
