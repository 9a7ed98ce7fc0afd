//! What each path answers, as OpenAPI describes it. How a path leads here stands in [`routes`](super::routes).

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use futures::StreamExt;
use hyper::body::Buf;
use tokio::sync::{Semaphore, watch};
use warp::Reply;
use warp::http::header::CONTENT_TYPE;
use warp::http::{HeaderValue, StatusCode};
use warp::reply::Response;

use super::exporters::{Edge, Exporter, ExporterList, Listener};
use super::facts::{self, FactsList};
use super::filters::{self, FilterText, FilterVerdict};
use super::fleet::FleetStatus;
use super::live::{self, Streams};
use super::parameters::Parameters;
use super::problem::Problem;
use super::profiles::{Profile, ProfileDetail, ProfileList};
use super::rights::{Viewer, Wanted};
use super::series::{self, SeriesAnswer};
use super::sources::SourcePace;
use super::top::{self, TopAnswer};
use super::{State, openapi as document, scrape};
use crate::aggregate::Reader;
use crate::telemetry::{Metric, Report, Values};

/// Questions to the store at once; further ones wait.
const READS: usize = 8;

/// What the operations share.
#[derive(Debug)]
pub(super) struct Shared {
    state: State,
    reads: Arc<Semaphore>,
    streams: Streams,
    document: String,
}

/// A query string's names and values.
pub(super) type Pairs = Vec<(String, String)>;

impl Shared {
    /// What the operations of one server share; live streams end once `closed` turns true.
    pub(super) fn new(state: State, closed: watch::Receiver<bool>) -> Self {
        let document = document::document().to_json().unwrap_or_default();
        Self { state, reads: Arc::new(Semaphore::new(READS)), streams: Streams::new(closed), document }
    }

    /// Asks the store, away from the threads that serve connections.
    async fn read<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&Reader) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let reader = self.state.reader.clone();
        let permit = Arc::clone(&self.reads).acquire_owned().await;
        let asked = tokio::task::spawn_blocking(move || {
            // Kept until the store has answered, even if the client is gone by then.
            let _permit = permit;
            ask(&reader)
        });
        asked.await.unwrap_or_else(|e| Err(Problem::internal(format!("the question ended early: {e}"))))
    }
}

/// All profiles.
#[utoipa::path(get, path = "/api/v1/profiles", tag = "profiles", responses(
    (status = 200, body = ProfileList, description = "the built-in profile first, then as configured"),
    (status = "default", body = Problem, content_type = "application/problem+json", description = "what is wrong"),
))]
pub(super) async fn profiles(
    viewer: Option<Viewer>,
    shared: Arc<Shared>,
    pairs: Pairs,
) -> Result<Response, Problem> {
    Parameters::new(pairs, &[])?;
    let profiles = shared.read(|reader| Ok(reader.profiles())).await?;
    let mut profiles: Vec<Profile> = profiles.into_iter().map(Profile::from).collect();
    if let Some(viewer) = viewer {
        profiles = seen(&viewer, profiles).await?;
    }
    Ok(json(&ProfileList { profiles }))
}

/// Those that the user may see.
async fn seen(viewer: &Viewer, profiles: Vec<Profile>) -> Result<Vec<Profile>, Problem> {
    let mut seen = Vec::new();
    for profile in profiles {
        let sees = match profile.name.split_once('/') {
            Some((namespace, name)) => viewer.sees_profile(namespace, name).await?,
            None => viewer.sees(&Wanted::Collector).await?,
        };
        if sees {
            seen.push(profile);
        }
    }
    Ok(seen)
}

/// One profile and what it holds.
#[utoipa::path(get, path = "/api/v1/profiles/{namespace}/{name}", tag = "profiles",
    params(
        ("namespace" = String, Path, description = "of the FlowProfile"),
        ("name" = String, Path, description = "of the FlowProfile"),
    ),
    responses(
        (status = 200, body = ProfileDetail, description = "the profile"),
        (status = "default", body = Problem, content_type = "application/problem+json", description = "what is wrong"),
    ),
)]
pub(super) async fn profile(name: String, shared: Arc<Shared>, pairs: Pairs) -> Result<Response, Problem> {
    Parameters::new(pairs, &[])?;
    let detail = shared.read(move |reader| {
        let profile = reader.profile(&name)?.into();
        Ok(ProfileDetail { profile, usage: reader.usage(&name)?.into() })
    });
    Ok(json(&detail.await?))
}

/// Series of a profile's channels.
#[utoipa::path(get, path = "/api/v1/profiles/{namespace}/{name}/series", tag = "profiles",
    params(
        ("namespace" = String, Path, description = "of the FlowProfile"),
        ("name" = String, Path, description = "of the FlowProfile"),
        ("from" = Option<u64>, Query, description = "Unix ms; rounded down to a step; default: an hour before `to`"),
        ("to" = Option<u64>, Query, description = "Unix ms, exclusive; rounded up to a step; default: now"),
        ("step" = Option<u64>, Query, description = "milliseconds of a bucket: a multiple of the slot length; default: the \
            finest usual one (10 s, 1 min, 5 min, 1 h, 1 d ...) that gives each series at most 1,000 values and, for \
            rates and maxima, is not finer than `reportedWithin` by more than a quarter. More than \
            20,000 values a series, or a step that is no longer kept so far back, is answered with a problem that \
            names the smallest one allowed in `smallestStep`"),
        ("channels" = Option<String>, Query, description = "names, separated by commas; default: all"),
        ("sources" = Option<String>, Query, description = "names, separated by commas: one series a channel and \
            source; default: one a channel, over all sources"),
        ("metric" = Option<String>, Query, description = "`flows` (default), `packets`, `bytes` or `events`"),
        ("protocol" = Option<String>, Query, description = "`all` (default), `tcp`, `udp`, `icmp` or `other`"),
        ("value" = Option<String>, Query, description = "`sum` (default), `rate` (sum by covered seconds; bytes as \
            bits) or `max` (the largest one-minute average rate; steps of a minute and more; without `step`, the \
            largest average over `maximumOf`, which is not finer than `reportedWithin`)"),
    ),
    responses(
        (status = 200, body = SeriesAnswer, description = "one value a bucket"),
        (status = "default", body = Problem, content_type = "application/problem+json", description = "what is wrong"),
    ),
)]
pub(super) async fn series(name: String, shared: Arc<Shared>, pairs: Pairs) -> Result<Response, Problem> {
    let given = Parameters::new(pairs, series::PARAMETERS)?;
    let query = series::question(&given, name, now_ms())?;
    let answer = shared
        .read(move |reader| Ok(SeriesAnswer::new(reader.series(&query)?, query.metric, query.value)))
        .await?;
    shared.state.metrics.lock().add(Metric::PointsServed, &[], answer.points());
    Ok(json(&answer))
}

/// The largest keys of a channel, for an element of the profile's `top[]`.
#[utoipa::path(get, path = "/api/v1/profiles/{namespace}/{name}/top", tag = "profiles",
    params(
        ("namespace" = String, Path, description = "of the FlowProfile"),
        ("name" = String, Path, description = "of the FlowProfile"),
        ("channel" = String, Query, description = "the channel's name"),
        ("element" = String, Query, description = "one of the profile's `top[].element`"),
        ("order" = Option<String>, Query, description = "one of that entry's `orders`; default: the first"),
        ("from" = Option<u64>, Query, description = "Unix ms; default: an hour before `to`"),
        ("to" = Option<u64>, Query, description = "Unix ms, exclusive; default: now"),
        ("limit" = Option<u32>, Query, description = "how many rows; default and most: the entry's `size`"),
    ),
    responses(
        (status = 200, body = TopAnswer, description = "the largest keys, each with a lower and an upper value"),
        (status = "default", body = Problem, content_type = "application/problem+json", description = "what is wrong"),
    ),
)]
pub(super) async fn top(name: String, shared: Arc<Shared>, pairs: Pairs) -> Result<Response, Problem> {
    let given = Parameters::new(pairs, top::PARAMETERS)?;
    let answer = shared
        .read(move |reader| {
            let query = top::question(&given, &reader.profile(&name)?.into(), now_ms())?;
            Ok(TopAnswer::new(reader.top(&query).map_err(top::refused)?, query))
        })
        .await?;
    Ok(json(&answer))
}

/// Every stream, listener and edge, with what was received, understood and lost.
#[utoipa::path(get, path = "/api/v1/exporters", tag = "exporters", responses(
    (status = 200, body = ExporterList, description = "the loss ledger"),
    (status = "default", body = Problem, content_type = "application/problem+json", description = "what is wrong"),
))]
pub(super) async fn exporters(shared: Arc<Shared>, pairs: Pairs) -> Result<Response, Problem> {
    Parameters::new(pairs, &[])?;
    let list = shared.read(|reader| {
        Ok(ExporterList {
            exporters: reader.streams().into_iter().map(Exporter::from).collect(),
            listeners: reader.listeners().into_iter().map(Listener::from).collect(),
            edges: reader.edges().into_iter().map(Edge::from).collect(),
            sources: reader.reported_within().into_iter().map(SourcePace::from).collect(),
        })
    });
    Ok(json(&list.await?))
}

/// What exporters taught: templates with their age, sampling rates, names of interfaces, VRFs and samplers.
#[utoipa::path(get, path = "/api/v1/exporters/facts", tag = "exporters",
    params(("exporter" = Option<String>, Query, description = "the address of one exporter; without it, all")),
    responses(
        (status = 200, body = FactsList, description = "one entry a stream of which anything is known"),
        (status = "default", body = Problem, content_type = "application/problem+json", description = "what is wrong"),
    ),
)]
pub(super) async fn facts(shared: Arc<Shared>, pairs: Pairs) -> Result<Response, Problem> {
    let exporter = facts::question(&Parameters::new(pairs, facts::PARAMETERS)?)?;
    let list = shared.read(move |reader| Ok(facts::answer(reader.facts(), exporter)));
    Ok(json(&list.await?))
}

/// The aggregator and every edge heard of within the last minute: versions, what they run, since when.
#[utoipa::path(get, path = "/api/v1/fleet", tag = "server", responses(
    (status = 200, body = FleetStatus, description = "who runs what"),
    (status = "default", body = Problem, content_type = "application/problem+json", description = "what is wrong"),
))]
pub(super) async fn fleet(shared: Arc<Shared>, pairs: Pairs) -> Result<Response, Problem> {
    Parameters::new(pairs, &[])?;
    Ok(json(&FleetStatus::from(shared.state.reader.fleet())))
}

/// Tells when something new can be read.
#[utoipa::path(get, path = "/api/v1/live", tag = "profiles",
    params(("Last-Event-ID" = Option<u64>, Header, description = "the last commit that was seen: what came since is told at once")),
    responses(
        (status = 200, body = live::SlotEvent, content_type = "text/event-stream",
            description = "events named `slot`; their id is the number of the commit, their data a SlotEvent"),
        (status = "default", body = Problem, content_type = "application/problem+json", description = "what is wrong"),
    ),
)]
pub(super) async fn live(
    last: Option<String>,
    viewer: Option<Viewer>,
    shared: Arc<Shared>,
    pairs: Pairs,
) -> Result<Response, Problem> {
    Parameters::new(pairs, &[])?;
    let last = live::last_event_id(last.as_deref())?;
    if let Some(viewer) = viewer {
        // Events hold no values: they are for whoever may see a profile.
        let profiles = shared.read(|reader| Ok(reader.profiles())).await?;
        if seen(&viewer, profiles.into_iter().map(Profile::from).collect()).await?.is_empty() {
            viewer.must_see(&Wanted::Collector).await?;
        }
    }
    shared.streams.open(&shared.state.reader, &shared.state.metrics, last)
}

/// Checks a filter as a profile's: its canonical form, or every error with its place and the right form.
#[utoipa::path(post, path = "/api/v1/filters/check", tag = "filters",
    request_body = FilterText,
    responses(
        (status = 200, body = FilterVerdict, description = "good or not"),
        (status = "default", body = Problem, content_type = "application/problem+json", description = "what is wrong"),
    ),
)]
pub(super) async fn check_filter<S, B>(
    kind: Option<String>,
    pairs: Pairs,
    body: S,
) -> Result<Response, Problem>
where
    S: futures::Stream<Item = Result<B, warp::Error>>,
    B: Buf,
{
    Parameters::new(pairs, &[])?;
    let media = kind.as_deref().and_then(|kind| kind.split(';').next()).unwrap_or_default();
    if !media.trim().eq_ignore_ascii_case("application/json") {
        let detail = "send the header Content-Type: application/json";
        return Err(Problem::body(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
    }
    Ok(json(&filters::check(&collect(body, filters::BODY_LIMIT).await?)?))
}

/// This description.
#[utoipa::path(get, path = "/openapi.json", tag = "server", responses(
    (status = 200, body = Object, description = "OpenAPI"),
))]
pub(super) fn openapi(shared: &Shared) -> Response {
    typed(shared.document.clone(), "application/json")
}

/// Metrics for Prometheus.
#[utoipa::path(get, path = "/metrics", tag = "server", responses(
    (status = 200, body = String, content_type = "application/openmetrics-text", description = "OpenMetrics text"),
))]
pub(super) async fn metrics(shared: Arc<Shared>) -> Result<Response, Problem> {
    let metrics = shared.state.metrics.clone();
    let text = shared
        .read(move |reader| scrape::render(&metrics, reader).map_err(|e| Problem::internal(e.to_string())));
    Ok(typed(text.await?, Values::CONTENT_TYPE))
}

/// The process answers.
#[utoipa::path(get, path = "/healthz", tag = "server", responses(
    (status = 200, body = String, content_type = "text/plain", description = "`ok`"),
))]
pub(super) fn healthz() -> Response {
    typed("ok\n".to_owned(), "text/plain; charset=utf-8")
}

/// Every part of the process works.
#[utoipa::path(get, path = "/readyz", tag = "server", responses(
    (status = 200, body = Report, description = "ready"),
    (status = 503, body = Report, description = "a part has not started, or fails: its reason says why"),
))]
pub(super) fn readyz(shared: &Shared) -> Response {
    let report = shared.state.health.report();
    let status = if report.ok { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    warp::reply::with_status(warp::reply::json(&report), status).into_response()
}

fn json(value: &impl serde::Serialize) -> Response {
    warp::reply::json(value).into_response()
}

fn typed(text: String, kind: &'static str) -> Response {
    let mut response = text.into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

async fn collect<S, B>(body: S, limit: usize) -> Result<Vec<u8>, Problem>
where
    S: futures::Stream<Item = Result<B, warp::Error>>,
    B: Buf,
{
    let mut bytes = Vec::new();
    let mut body = std::pin::pin!(body);
    while let Some(part) = body.next().await {
        let mut part =
            part.map_err(|e| Problem::body(StatusCode::BAD_REQUEST, format!("the body ended early: {e}")))?;
        if bytes.len() + part.remaining() > limit {
            let detail = format!("the body is longer than {limit} bytes");
            return Err(Problem::body(StatusCode::PAYLOAD_TOO_LARGE, detail));
        }
        while part.has_remaining() {
            let chunk = part.chunk();
            bytes.extend_from_slice(chunk);
            let read = chunk.len();
            part.advance(read);
        }
    }
    Ok(bytes)
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
