//! `kubectl weir ui`: the page on this machine. A proxy adds the token, so that the browser needs none.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use futures::TryStreamExt;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, Limited, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::header::{ACCEPT_ENCODING, AUTHORIZATION, CONNECTION, HOST, TRANSFER_ENCODING, UPGRADE};
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use super::CollectorArgument;
use super::cluster::Cluster;
use super::reach::Reached;
use super::token::Tokens;
use crate::command::Failure;
use crate::command::client::innermost;
use crate::command::profile;

const EXAMPLES: &str = "\
Whoever can connect to this machine's loopback address reads what your token may read, until Ctrl-C.

Examples:
  kubectl weir ui
  kubectl weir -n flows ui --collector zone1 --port 8080";

/// The largest request: filters to check are at most 16 KiB.
const REQUEST_BYTES: usize = 256 << 10;
const CONNECTIONS: usize = 64;
const HEAD_WITHIN: Duration = Duration::from_secs(15);

/// Show the page of a collector in a browser, by a proxy on this machine
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Ui {
    #[command(flatten)]
    collector: CollectorArgument,
    /// Port on the loopback address; 0: a free one
    #[arg(long, default_value_t = 8470)]
    port: u16,
}

struct Proxy {
    reached: Reached,
    http: reqwest::Client,
    tokens: Tokens,
}

type Body = BoxBody<Bytes, reqwest::Error>;

impl Ui {
    /// Serves until interrupted.
    pub(super) async fn run(&self, cluster: Cluster) -> Result<(), Failure> {
        let reached = Reached::new(&cluster, &self.collector, None).await?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        let listener = TcpListener::bind(address).await;
        let listener = listener
            .map_err(|error| Failure::System(format!("cannot listen on {address}: {error}; give --port")))?;
        let local = listener.local_addr().map_err(|error| Failure::System(error.to_string()))?;
        // No time limit: the page's live stream stays open.
        let http = reached.server.http(None)?;
        profile::print(&format!("{} is on http://{local}, until Ctrl-C\n", reached.collector))?;
        let proxy = Arc::new(Proxy { reached, http, tokens: Tokens::new(cluster) });
        tokio::select! {
            () = serve(listener, proxy) => Ok(()),
            stopped = tokio::signal::ctrl_c() => stopped.map_err(|error| Failure::System(error.to_string())),
        }
    }
}

async fn serve(listener: TcpListener, proxy: Arc<Proxy>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let Ok((stream, _)) = listener.accept().await else { continue };
        let proxy = Arc::clone(&proxy);
        tokio::spawn(async move {
            let answer = service_fn(move |request| answered(Arc::clone(&proxy), request));
            let mut server = hyper::server::conn::http1::Builder::new();
            server.timer(TokioTimer::new()).header_read_timeout(HEAD_WITHIN);
            // A browser that goes away is no error.
            _ = server.serve_connection(TokioIo::new(stream), answer).await;
            drop(place);
        });
    }
}

async fn answered(proxy: Arc<Proxy>, request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    Ok(proxy.answer(request).await)
}

impl Proxy {
    async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        if let Err(why) = is_own(request.headers()) {
            return plain(StatusCode::FORBIDDEN, why);
        }
        match self.passed_on(request).await {
            Ok(response) => response,
            Err(failure) => plain(StatusCode::BAD_GATEWAY, &failure.to_string()),
        }
    }

    async fn passed_on(&self, request: Request<Incoming>) -> Result<Response<Body>, Failure> {
        let (head, body) = request.into_parts();
        let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
        let url = self.reached.server.url()?.join(path).map_err(|error| Failure::Input(error.to_string()))?;
        if url.origin() != self.reached.server.url()?.origin() {
            return Err(Failure::Input(format!("{path} is no path of this server")));
        }
        let body = Limited::new(body, REQUEST_BYTES).collect().await;
        let body =
            body.map_err(|error| Failure::Input(format!("the request was not read: {error}")))?.to_bytes();
        let token = self.tokens.current().await?;
        let sent =
            self.http.request(head.method, url).headers(kept(&head.headers)).bearer_auth(token).body(body);
        let answer = sent.send().await.map_err(|error| {
            let why = innermost(&error);
            Failure::System(format!("{} does not answer: {why}", self.reached.collector))
        })?;
        let mut response = Response::builder().status(answer.status());
        if let Some(headers) = response.headers_mut() {
            *headers = kept(answer.headers());
        }
        let stream = StreamBody::new(answer.bytes_stream().map_ok(Frame::data));
        response.body(BodyExt::boxed(stream)).map_err(|error| Failure::System(error.to_string()))
    }
}

/// A page of somebody else must not get here through the browser: not by a name of its own that resolves to this
/// machine, and not by a link.
fn is_own(headers: &HeaderMap) -> Result<(), &'static str> {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit()));
    let name = name.map_or(host, |(name, _)| name).trim_start_matches('[').trim_end_matches(']');
    let loopback =
        name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    if !loopback {
        return Err("this proxy is 127.0.0.1 and localhost; ask for it by one of these\n");
    }
    match headers.get("sec-fetch-site").and_then(|site| site.to_str().ok()) {
        Some("cross-site" | "same-site") => Err("another page asked for this; open the address yourself\n"),
        _ => Ok(()),
    }
}

/// Headers that mean something beyond one connection. The token is ours, and so is how the answer is packed.
fn kept(headers: &HeaderMap) -> HeaderMap {
    let mut headers = headers.clone();
    for name in [HOST, CONNECTION, TRANSFER_ENCODING, UPGRADE, AUTHORIZATION, ACCEPT_ENCODING] {
        headers.remove(name);
    }
    for name in ["keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer", "content-length"]
    {
        headers.remove(name);
    }
    headers
}

fn plain(status: StatusCode, text: &str) -> Response<Body> {
    let body = Full::new(Bytes::copy_from_slice(text.as_bytes())).map_err(|never| match never {});
    let mut response = Response::new(BodyExt::boxed(body));
    *response.status_mut() = status;
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn only_this_machine_s_own_names_are_answered_and_no_foreign_page_s_links() {
        for host in ["127.0.0.1:8470", "localhost:8470", "LOCALHOST", "[::1]:8470", "127.0.0.1"] {
            assert!(is_own(&headers(&[("host", host)])).is_ok(), "{host}");
        }
        for host in ["rebind.example:8470", "127.0.0.1.example", "192.0.2.1:8470", ""] {
            assert!(is_own(&headers(&[("host", host)])).is_err(), "{host}");
        }
        assert!(is_own(&HeaderMap::new()).is_err());
        let site = |site| is_own(&headers(&[("host", "localhost:1"), ("sec-fetch-site", site)]));
        assert!(site("same-origin").is_ok() && site("none").is_ok() && site("cross-site").is_err());
    }

    #[test]
    fn a_browser_s_token_and_what_belongs_to_one_connection_is_not_passed_on() {
        let passed = kept(&headers(&[
            ("host", "localhost"),
            ("authorization", "Bearer mine"),
            ("connection", "keep-alive"),
            ("accept", "application/json"),
            ("content-length", "3"),
        ]));
        assert_eq!(passed, headers(&[("accept", "application/json")]));
    }
}
