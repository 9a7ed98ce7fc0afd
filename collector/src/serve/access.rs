//! Who may ask: the bearer token, the rights that it stands for, and the names by which this server is known.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use subtle::ConstantTimeEq;
use warp::http::header::{AUTHORIZATION, HOST};
use warp::http::uri::Authority;
use warp::http::{HeaderMap, Uri};

use super::problem::Problem;
use super::profiles::LIVE;
use super::rights::{Denied, Reviewer, Viewer, Wanted};

/// A token shorter than this can be guessed.
const SHORTEST: usize = 16;
const LONGEST: usize = 4096;

/// How often the file is read again: a secret that a cluster renews holds within two seconds.
const LOOK: Duration = Duration::from_secs(1);

/// Who may ask.
#[derive(Clone, Debug)]
pub enum Access {
    /// Whoever reaches the address: it must be a loopback one.
    Open,
    /// Who has the server's token.
    Token(Token),
    /// Whom Kubernetes lets.
    Kubernetes(Arc<Reviewer>),
}

impl From<Option<Token>> for Access {
    fn from(token: Option<Token>) -> Self {
        token.map_or(Self::Open, Self::Token)
    }
}

/// The secret that clients send as `Authorization: Bearer ...`, as its file holds it now.
#[derive(Clone)]
pub struct Token {
    file: PathBuf,
    secret: Arc<ArcSwap<String>>,
}

/// Why a token file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// It cannot be read.
    #[error("cannot read the token file {path}: {reason}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: std::io::Error,
    },
    /// What it holds is no token.
    #[error(
        "the token file {0} has to hold one line of {SHORTEST} to {LONGEST} visible ASCII characters; \
         make one with: head -c 32 /dev/urandom | base64 > {0}"
    )]
    Form(PathBuf),
}

impl Token {
    /// Reads the token from a file of one line.
    ///
    /// # Errors
    /// When the file cannot be read, or does not hold 16 to 4,096 visible ASCII characters.
    pub fn read(path: &Path) -> Result<Self, TokenError> {
        let secret = Arc::new(ArcSwap::from_pointee(secret_in(path)?));
        Ok(Self { file: path.to_owned(), secret })
    }

    /// Takes over what the file says whenever it says something else; while it holds no token, the one before
    /// stays in force. Never ends.
    pub async fn follow(self) {
        let mut wrong = None;
        loop {
            tokio::time::sleep(LOOK).await;
            self.look(&mut wrong);
        }
    }

    /// `wrong` is what was said last of a file that holds no token.
    fn look(&self, wrong: &mut Option<String>) {
        match secret_in(&self.file) {
            Ok(secret) => {
                *wrong = None;
                if *self.secret.load_full() != secret {
                    self.secret.store(Arc::new(secret));
                    tracing::info!(file = %self.file.display(), "a new token is in force");
                }
            }
            Err(error) => {
                let text = error.to_string();
                if wrong.as_ref() != Some(&text) {
                    tracing::warn!("{text}; the token before stays in force");
                    *wrong = Some(text);
                }
            }
        }
    }

    /// The secret itself, to send it.
    pub fn reveal(&self) -> Arc<String> {
        self.secret.load_full()
    }

    /// Compares in a time that tells nothing of the secret but its length.
    fn is(&self, given: &str) -> bool {
        self.secret.load().as_bytes().ct_eq(given.as_bytes()).into()
    }
}

fn secret_in(path: &Path) -> Result<String, TokenError> {
    let text = std::fs::read_to_string(path);
    let text = text.map_err(|reason| TokenError::Read { path: path.to_owned(), reason })?;
    let token = text.trim();
    let good = (SHORTEST..=LONGEST).contains(&token.len()) && token.bytes().all(|b| b.is_ascii_graphic());
    if good { Ok(token.to_owned()) } else { Err(TokenError::Form(path.to_owned())) }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(..)")
    }
}

/// Why a request did not reach the routes.
#[derive(Debug)]
pub(super) struct Refusal {
    /// A word for the metrics.
    pub(super) reason: &'static str,
    /// What the client is told.
    pub(super) problem: Box<Problem>,
}

impl Refusal {
    fn new(reason: &'static str, problem: Problem) -> Self {
        Self { reason, problem: Box::new(problem) }
    }
}

impl From<Denied> for Refusal {
    fn from(denied: Denied) -> Self {
        Self::new(denied.reason(), denied.into())
    }
}

/// Lets a request pass, or says why not. With a token, everything that shows data needs it; without one, the
/// request has to name this server by an address of its own, so that no foreign page gets here through a
/// browser (DNS rebinding). In a cluster it says who asks, so that lists can be cut to what that user may see.
pub(super) async fn check(
    access: &Access,
    local: SocketAddr,
    uri: &Uri,
    headers: &HeaderMap,
) -> Result<Option<Viewer>, Refusal> {
    if matches!(uri.path(), "/healthz" | "/readyz") {
        return Ok(None);
    }
    match access {
        Access::Open => own_host(local, uri, headers).map_err(|problem| Refusal::new("host", problem))?,
        Access::Token(token) if shows_data(uri.path()) => {
            let given = bearer(headers).filter(|given| token.is(given));
            let wrong = "send the header Authorization: Bearer with this server's token";
            given.ok_or_else(|| Refusal::new("token", Problem::unauthorized(wrong)))?;
        }
        Access::Kubernetes(reviewer) if shows_data(uri.path()) => {
            return Ok(Some(reviewed(reviewer, uri.path(), headers).await?));
        }
        Access::Token(_) | Access::Kubernetes(_) => {}
    }
    Ok(None)
}

async fn reviewed(reviewer: &Arc<Reviewer>, path: &str, headers: &HeaderMap) -> Result<Viewer, Denied> {
    let none = Denied::Token("send the header Authorization: Bearer with a token that Kubernetes gave you");
    let viewer = reviewer.viewer(bearer(headers).ok_or(none)?).await?;
    if let Some(wanted) = wanted(path) {
        viewer.must_see(&wanted).await?;
    }
    Ok(viewer)
}

/// What a path shows; none: nothing, or what the operation itself cuts to what the user may see. What is not known here shows as
/// much as there is.
fn wanted(path: &str) -> Option<Wanted> {
    if path == "/metrics" {
        return Some(Wanted::Metrics);
    }
    let below = path.strip_prefix("/api/v1/").unwrap_or_default();
    match below.split('/').collect::<Vec<_>>()[..] {
        _ if path == "/openapi.json" => None,
        ["profiles"] | ["live"] | ["filters", "check"] => None,
        ["profiles", namespace, name] | ["profiles", namespace, name, "series" | "top"]
            if namespace != LIVE && !namespace.is_empty() && !name.is_empty() =>
        {
            Some(Wanted::Profile { namespace: namespace.to_owned(), name: name.to_owned() })
        }
        _ => Some(Wanted::Collector),
    }
}

/// The page's own files hold no data: it loads without a token, asks for one and sends it from then on.
fn shows_data(path: &str) -> bool {
    path == "/metrics" || path == "/openapi.json" || path.starts_with("/api/")
}

/// The token of an Authorization header (RFC 6750 2.1).
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, given) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    Some(given.trim()).filter(|given| scheme.eq_ignore_ascii_case("bearer") && !given.is_empty())
}

fn own_host(local: SocketAddr, uri: &Uri, headers: &HeaderMap) -> Result<(), Problem> {
    let from_header = || headers.get(HOST)?.to_str().ok()?.parse::<Authority>().ok();
    let authority = uri.authority().cloned().or_else(from_header);
    let host = authority.as_ref().map(Authority::host).unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let own = match bare.parse::<IpAddr>() {
        Ok(address) => {
            address.to_canonical().is_loopback() || address.to_canonical() == local.ip().to_canonical()
        }
        Err(_) => is_localhost(bare),
    };
    if own {
        return Ok(());
    }
    Err(Problem::foreign_host(format!(
        "this server is {local} and localhost, not {host:?}; ask for it by one of these, or start it with --token-file"
    )))
}

/// RFC 6761 6.3: these names are loopback wherever they are resolved.
fn is_localhost(host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    host == "localhost" || host.ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: &'static str, value: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().unwrap());
        headers
    }

    fn refused(token: Option<&Token>, path: &str, headers: &HeaderMap) -> Option<u16> {
        let local = "192.0.2.7:8470".parse().unwrap();
        let (access, uri) = (Access::from(token.cloned()), path.parse().unwrap());
        let checked = now(check(&access, local, &uri, headers));
        checked.err().map(|refusal| refusal.problem.status)
    }

    fn now<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
    }

    #[test]
    fn a_path_wants_the_right_for_what_it_shows_and_an_unknown_one_for_everything() {
        let profile = |namespace: &str, name: &str| {
            Some(Wanted::Profile { namespace: namespace.into(), name: name.into() })
        };
        for (path, right) in [
            ("/api/v1/profiles", None),
            ("/api/v1/filters/check", None),
            ("/openapi.json", None),
            ("/metrics", Some(Wanted::Metrics)),
            ("/api/v1/profiles/net/web", profile("net", "web")),
            ("/api/v1/profiles/net/web/series", profile("net", "web")),
            ("/api/v1/profiles/net/web/top", profile("net", "web")),
            ("/api/v1/profiles/net%2Fx/web/top", profile("net%2Fx", "web")),
            ("/api/v1/profiles/live/series", Some(Wanted::Collector)),
            ("/api/v1/profiles/live", Some(Wanted::Collector)),
            ("/api/v1/profiles//net/web/series", Some(Wanted::Collector)),
            ("/api/v1/profiles/net/web/series/", Some(Wanted::Collector)),
            ("/api/v1/exporters", Some(Wanted::Collector)),
            ("/api/v1/exporters/facts", Some(Wanted::Collector)),
            ("/api/v1/fleet", Some(Wanted::Collector)),
            ("/api/v1/live", None),
            ("/api/v2/profiles", Some(Wanted::Collector)),
            ("/api//v1/profiles", Some(Wanted::Collector)),
        ] {
            assert_eq!(wanted(path), right, "{path}");
        }
    }

    #[test]
    fn without_a_token_only_own_names_are_answered() {
        let own =
            ["127.0.0.1:8470", "localhost", "LOCALHOST.:1", "weir.localhost:80", "[::1]:8470", "192.0.2.7"];
        for host in own {
            assert_eq!(refused(None, "/api/v1/profiles", &headers("host", host)), None, "{host}");
        }
        for host in
            ["rebind.example", "192.0.2.8", "localhost.example", "127.0.0.1.example", "[2001:db8::1]", ""]
        {
            assert_eq!(refused(None, "/", &headers("host", host)), Some(403), "{host}");
        }
        assert_eq!(refused(None, "/", &HeaderMap::new()), Some(403));
        assert_eq!(refused(None, "/healthz", &HeaderMap::new()), None, "a kubelet asks by the pod's address");
    }

    #[test]
    fn with_a_token_all_that_shows_data_needs_it() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "0123456789abcdef\n").unwrap();
        let token = Token::read(file.path()).unwrap();
        for path in ["/api/v1/profiles", "/metrics", "/openapi.json", "/api/v1/none"] {
            assert_eq!(refused(Some(&token), path, &HeaderMap::new()), Some(401), "{path}");
            for wrong in
                ["Bearer 0123456789abcdeg", "Bearer", "Basic 0123456789abcdef", "Bearer 0123456789abcdef0"]
            {
                assert_eq!(
                    refused(Some(&token), path, &headers("authorization", wrong)),
                    Some(401),
                    "{wrong}"
                );
            }
            let right = headers("authorization", "bearer 0123456789abcdef");
            assert_eq!(refused(Some(&token), path, &right), None, "{path}");
        }
        for path in ["/", "/assets/a.js", "/healthz", "/readyz"] {
            assert_eq!(refused(Some(&token), path, &headers("host", "weir.example")), None, "{path}");
        }
    }

    #[test]
    fn a_token_that_changed_in_its_file_is_in_force_and_what_is_no_token_is_not() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "0123456789abcdef").unwrap();
        let token = Token::read(file.path()).unwrap();
        let (seen, mut wrong) = (token.clone(), None);
        let mut holds = |content: &str, secret: &str| {
            std::fs::write(file.path(), content).unwrap();
            token.look(&mut wrong);
            assert!(seen.is(secret), "{content}");
            wrong.is_some()
        };
        assert!(!holds(
            "fedcba9876543210
",
            "fedcba9876543210"
        ));
        assert!(holds("short", "fedcba9876543210"));
        assert!(!holds("0123456789abcdef", "0123456789abcdef"));
    }

    #[test]
    fn a_token_file_holds_one_long_visible_line() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for (content, good) in [
            ("0123456789abcdef\n", true),
            ("short\n", false),
            ("", false),
            ("two lines of text\nare no token\n", false),
        ] {
            std::fs::write(file.path(), content).unwrap();
            assert_eq!(Token::read(file.path()).is_ok(), good, "{content:?}");
        }
        let missing = Token::read(Path::new("/nonexistent/token")).unwrap_err().to_string();
        assert!(missing.contains("/nonexistent/token"), "{missing}");
    }
}
