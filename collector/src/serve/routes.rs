//! Every path that is answered, in one place, and the operation that it leads to.
//!
//! Operations answer with problems, never with rejections: a path that is found is not tried further.

use std::convert::Infallible;
use std::sync::Arc;

use tokio::sync::watch;
use warp::reply::Response;
use warp::{Filter, Rejection, Reply};

use super::operations::{self, Pairs, Shared};
use super::problem::Problem;
use super::{LIVE, State, ui};

/// All routes; whatever they do not know is answered with a problem.
pub(super) fn all(
    state: State,
    closed: watch::Receiver<bool>,
) -> impl Filter<Extract = (Response,), Error = Infallible> + Clone {
    let shared = Arc::new(Shared::new(state, closed));
    let api = warp::path("api").and(warp::path("v1")).and(api(Arc::clone(&shared)));
    let page = ui::routes().map(Reply::into_response);
    let routes = api.or(server(shared)).unify().or(page).unify();
    routes.recover(refuse).unify()
}

async fn refuse(rejection: Rejection) -> Result<Response, Infallible> {
    Ok(Problem::of_rejection(&rejection).into_response())
}

fn api(shared: Arc<Shared>) -> impl Filter<Extract = (Response,), Error = Rejection> + Clone {
    let built_in = warp::path("profiles").and(warp::path(LIVE)).map(|| LIVE.to_owned());
    let named = warp::path("profiles")
        .and(warp::path::param::<String>())
        .and(warp::path::param::<String>())
        .map(|namespace, name| format!("{namespace}/{name}"));
    let with = with(shared);
    let list = warp::path!("profiles")
        .and(warp::ext::optional())
        .and(with.clone())
        .and(pairs())
        .then(operations::profiles)
        .map(settle);
    let exporters =
        warp::path!("exporters").and(with.clone()).and(pairs()).then(operations::exporters).map(settle);
    let facts =
        warp::path!("exporters" / "facts").and(with.clone()).and(pairs()).then(operations::facts).map(settle);
    let fleet = warp::path!("fleet").and(with.clone()).and(pairs()).then(operations::fleet).map(settle);
    let live = warp::path!("live")
        .and(warp::header::optional("last-event-id"))
        .and(warp::ext::optional())
        .and(with.clone())
        .and(pairs())
        .then(operations::live)
        .map(settle);
    let check = warp::path!("filters" / "check")
        .and(warp::header::optional("content-type"))
        .and(pairs())
        .and(warp::body::stream())
        .then(operations::check_filter)
        .map(settle);
    // The built-in profile's address comes first: it is shorter.
    let profile = of_profile(built_in, with.clone()).or(of_profile(named, with)).unify();
    list.or(exporters)
        .unify()
        .or(facts)
        .unify()
        .or(fleet)
        .unify()
        .or(live)
        .unify()
        .or(check)
        .unify()
        .or(profile)
        .unify()
}

fn of_profile(
    name: impl Filter<Extract = (String,), Error = Rejection> + Clone + Send + Sync + 'static,
    with: impl Filter<Extract = (Arc<Shared>,), Error = Infallible> + Clone + Send + Sync + 'static,
) -> impl Filter<Extract = (Response,), Error = Rejection> + Clone {
    let end = warp::path::end();
    let detail = name.clone().and(end).and(with.clone()).and(pairs()).then(operations::profile).map(settle);
    let lines = name
        .clone()
        .and(warp::path!("series"))
        .and(with.clone())
        .and(pairs())
        .then(operations::series)
        .map(settle);
    let table = name.and(warp::path!("top")).and(with).and(pairs()).then(operations::top).map(settle);
    detail.or(lines).unify().or(table).unify()
}

fn server(shared: Arc<Shared>) -> impl Filter<Extract = (Response,), Error = Rejection> + Clone {
    let with = with(shared);
    let openapi =
        warp::path!("openapi.json").and(with.clone()).map(|shared: Arc<Shared>| operations::openapi(&shared));
    let metrics = warp::path!("metrics").and(with.clone()).then(operations::metrics).map(settle);
    let healthz = warp::path!("healthz").map(operations::healthz);
    let readyz = warp::path!("readyz").and(with).map(|shared: Arc<Shared>| operations::readyz(&shared));
    openapi.or(metrics).unify().or(healthz).unify().or(readyz).unify()
}

fn with(shared: Arc<Shared>) -> impl Filter<Extract = (Arc<Shared>,), Error = Infallible> + Clone {
    warp::any().map(move || Arc::clone(&shared))
}

fn pairs() -> impl Filter<Extract = (Pairs,), Error = Rejection> + Copy {
    warp::query::<Pairs>()
}

fn settle(answer: Result<Response, Problem>) -> Response {
    answer.unwrap_or_else(Reply::into_response)
}
