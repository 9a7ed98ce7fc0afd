//! The page: the bundle of `collector/ui`, built into the program and served with its cache and security headers.

use std::borrow::Cow;

use rust_embed::{Embed, EmbeddedFile};
use warp::http::header::{
    CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, REFERRER_POLICY, VARY,
    X_CONTENT_TYPE_OPTIONS,
};
use warp::http::{HeaderValue, StatusCode};
use warp::hyper::body::Bytes;
use warp::reply::Response;
use warp::{Filter, Rejection, Reply};

/// What the page may do: load its own files and talk to its own server, nothing else.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// What `/` says in a program that was built without Node.
const NOT_BUILT: &str = "This weir was built without its page.\n\n\
                         Run `make ui` in the source folder and build weir again. The API works: /api/v1/profiles\n";

/// What the build lays beside scripts and styles, the smaller first: coding (RFC 9110 8.4.1) and suffix.
const CODINGS: [(&str, &str); 2] = [("br", ".br"), ("gzip", ".gz")];

/// The files of `ui/dist`; in debug builds they are read from that folder at each request.
#[derive(Embed)]
#[folder = "ui/dist"]
struct Bundle;

/// Serves `/`, `/favicon.svg` and `/assets/...`; every other path is left to the filters beside it.
///
/// Names below `/assets` carry a hash of their content and may be kept for ever; the others are asked for
/// again each time and answered with 304 while their `ETag` holds. A program without a bundle answers `/`
/// with 503 and the command to run.
pub(super) fn routes() -> impl Filter<Extract = (impl Reply,), Error = Rejection> + Clone {
    pages::<Bundle>()
}

fn pages<E: Embed + 'static>() -> impl Filter<Extract = (Response,), Error = Rejection> + Clone {
    let index = warp::path::end().map(|| "index.html".to_owned());
    let icon = warp::path!("favicon.svg").map(|| "favicon.svg".to_owned());
    let asset = warp::path!("assets" / String).map(|name| format!("assets/{name}"));
    let path = index.or(icon).unify().or(asset).unify();
    let method = warp::get().or(warp::head()).unify();
    let headers = warp::header::optional("if-none-match").and(warp::header::optional("accept-encoding"));
    path.and(method).and(headers).and_then(
        |path: String, known: Option<String>, codings: Option<String>| async move {
            let is_coded = CODINGS.iter().any(|(_, suffix)| path.ends_with(suffix));
            match (E::get(&path).filter(|_| !is_coded), path.as_str()) {
                (Some(file), _) => {
                    Ok(coded::<E>(&path, file, &codings.unwrap_or_default(), known.as_deref()))
                }
                (None, "index.html") => Ok(not_built()),
                (None, _) => Err(warp::reject::not_found()),
            }
        },
    )
}

/// The file in the best coding that there is of it and the client takes.
fn coded<E: Embed>(path: &str, plain: EmbeddedFile, accepted: &str, known: Option<&str>) -> Response {
    let kind = content_type(&plain);
    let mut there =
        CODINGS.iter().filter_map(|(coding, suffix)| Some((coding, E::get(&format!("{path}{suffix}"))?)));
    let mut varies = false;
    let chosen = there.find(|(coding, _)| {
        varies = true;
        accepts(accepted, coding)
    });
    let (coding, file) = chosen.map_or((None, plain), |(coding, file)| (Some(coding), file));
    let mut response = answer(path, file, &kind, known);
    if varies {
        response.headers_mut().insert(VARY, HeaderValue::from_static("accept-encoding"));
    }
    if let Some(coding) = coding {
        response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static(coding));
    }
    response
}

/// Whether an Accept-Encoding header (RFC 9110 12.5.3) takes a coding; one that names neither it nor `*` does not.
fn accepts(header: &str, coding: &str) -> bool {
    let weight = |name: &str| {
        let mut listed = header.split(',').map(|one| one.split_once(';').unwrap_or((one, "")));
        let (_, weight) = listed.find(|(listed, _)| listed.trim().eq_ignore_ascii_case(name))?;
        let given = weight.trim().strip_prefix("q=").unwrap_or("1");
        Some(given.trim().parse::<f32>().unwrap_or(0.0))
    };
    weight(coding).or_else(|| weight("*")).is_some_and(|weight| weight > 0.0)
}

fn answer(path: &str, file: EmbeddedFile, kind: &str, known: Option<&str>) -> Response {
    let tag = etag(&file);
    let body = match file.data {
        Cow::Borrowed(data) => Bytes::from_static(data),
        Cow::Owned(data) => Bytes::from(data),
    };
    let mut response =
        if known.is_some_and(|known| known == "*" || known.split(',').any(|one| one.trim() == tag)) {
            StatusCode::NOT_MODIFIED.into_response()
        } else {
            Response::new(body.into())
        };
    let cache = if path.starts_with("assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(cache));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    for (name, value) in [(CONTENT_TYPE, kind), (ETAG, &tag)] {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    }
    response
}

fn not_built() -> Response {
    warp::reply::with_status(NOT_BUILT, StatusCode::SERVICE_UNAVAILABLE).into_response()
}

/// A strong validator: the first 128 bits of the content's SHA-256.
fn etag(file: &EmbeddedFile) -> String {
    let hash = file.metadata.sha256_hash();
    let hex: String = hash[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("\"{hex}\"")
}

fn content_type(file: &EmbeddedFile) -> String {
    let kind = file.metadata.mimetype();
    if kind.starts_with("text/") { format!("{kind}; charset=utf-8") } else { kind.to_owned() }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use warp::test::request;

    use super::*;

    struct Nothing;

    impl Embed for Nothing {
        fn get(_: &str) -> Option<EmbeddedFile> {
            None
        }
        fn iter() -> impl Iterator<Item = Cow<'static, str>> + 'static {
            std::iter::empty()
        }
    }

    /// A bundle, each file holding its own path.
    struct Small;

    impl Embed for Small {
        fn get(path: &str) -> Option<EmbeddedFile> {
            if !Self::iter().any(|name| name == path) {
                return None;
            }
            let suffix = format!(".{}", path.rsplit('.').next().unwrap());
            let mut file = tempfile::Builder::new().suffix(&suffix).tempfile().unwrap();
            file.write_all(path.as_bytes()).unwrap();
            Some(rust_embed::utils::read_file_from_fs(file.path()).unwrap())
        }
        fn iter() -> impl Iterator<Item = Cow<'static, str>> + 'static {
            let script = "assets/index-1a2b.js";
            let coded = CODINGS.map(|(_, suffix)| Cow::from(format!("{script}{suffix}")));
            ["index.html", "favicon.svg", script].map(Cow::from).into_iter().chain(coded)
        }
    }

    #[tokio::test]
    async fn without_a_bundle_the_root_names_the_command_to_run() {
        let reply = request().path("/").reply(&pages::<Nothing>()).await;
        assert_eq!(reply.status(), 503);
        assert!(String::from_utf8_lossy(reply.body()).contains("make ui"));
    }

    #[tokio::test]
    async fn the_root_is_the_page_and_forbids_foreign_scripts() {
        let reply = request().path("/").reply(&pages::<Small>()).await;
        assert_eq!(reply.status(), 200);
        assert_eq!(reply.body(), "index.html");
        assert_eq!(reply.headers()["content-type"], "text/html; charset=utf-8");
        assert_eq!(reply.headers()["cache-control"], "no-cache");
        let policy = reply.headers()["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"));
    }

    #[tokio::test]
    async fn assets_are_kept_for_ever_because_their_names_carry_a_hash() {
        let reply = request().path("/assets/index-1a2b.js").reply(&pages::<Small>()).await;
        assert_eq!(reply.headers()["content-type"], "text/javascript; charset=utf-8");
        assert!(reply.headers()["cache-control"].to_str().unwrap().contains("immutable"));
    }

    #[tokio::test]
    async fn a_script_comes_in_the_smallest_coding_that_the_client_takes() {
        let ask = async |accepted: &str| {
            let request = request().path("/assets/index-1a2b.js").header("accept-encoding", accepted);
            let reply = request.reply(&pages::<Small>()).await;
            assert_eq!(reply.headers()["content-type"], "text/javascript; charset=utf-8", "{accepted}");
            assert_eq!(reply.headers()["vary"], "accept-encoding", "{accepted}");
            let coding = reply.headers().get("content-encoding").map(|c| c.to_str().unwrap().to_owned());
            (coding, String::from_utf8(reply.body().to_vec()).unwrap())
        };
        let script = |suffix: &str| format!("assets/index-1a2b.js{suffix}");
        for accepted in ["gzip, deflate, br, zstd", "br;q=0.1, gzip", "*", "BR"] {
            assert_eq!(ask(accepted).await, (Some("br".into()), script(".br")), "{accepted}");
        }
        for accepted in ["gzip", "br;q=0, *", "gzip;q=1.0, identity"] {
            assert_eq!(ask(accepted).await, (Some("gzip".into()), script(".gz")), "{accepted}");
        }
        for accepted in ["", "identity", "gzip;q=0", "gzip;q=x", "brotli"] {
            assert_eq!(ask(accepted).await, (None, script("")), "{accepted}");
        }
        let plain = request().path("/").header("accept-encoding", "br").reply(&pages::<Small>()).await;
        assert!(plain.headers().get("vary").is_none() && plain.headers().get("content-encoding").is_none());
        let direct = request().path("/assets/index-1a2b.js.br").reply(&pages::<Small>()).await;
        assert_eq!(direct.status(), 404);
    }

    #[tokio::test]
    async fn a_known_etag_is_answered_without_the_body() {
        let first = request().path("/").reply(&pages::<Small>()).await;
        let tag = first.headers()["etag"].to_str().unwrap().to_owned();
        let again = request().path("/").header("if-none-match", &tag).reply(&pages::<Small>()).await;
        assert_eq!(again.status(), 304);
        assert!(again.body().is_empty());
        let other = request().path("/").header("if-none-match", "\"0\"").reply(&pages::<Small>()).await;
        assert_eq!(other.status(), 200);
    }

    #[tokio::test]
    async fn other_paths_and_methods_are_left_to_the_api() {
        let outside = ["/assets/..%2findex.html", "/assets/none.js", "/api/v1/profiles", "/.keep"];
        for path in outside {
            assert_eq!(request().path(path).reply(&pages::<Small>()).await.status(), 404, "{path}");
        }
        assert_eq!(request().method("POST").path("/").reply(&pages::<Small>()).await.status(), 405);
    }
}
