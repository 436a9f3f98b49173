//! The way of a request through the gateway: who sent it, whom it is for, what the guest gets, and what comes back.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{ALLOW, CONNECTION, CONTENT_LENGTH};
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, StatusCode, Version};
use http_body_util::BodyExt as _;
use hull_dispatch::{Body, BodyError};
use hull_invocation::{Cause, Failure, Invocation, Lineage, Slot};
use hyper::body::Incoming;

use crate::address::check_address;
use crate::answer::{Answer, Begun, told_length};
use crate::connection::ConnectionState;
use crate::copy::copied;
use crate::dress::dress;
use crate::exchange::Exchange;
use crate::forwarded::{self, forward};
use crate::guard::REFUSED_METHOD;
use crate::inbound::{Unfit, inbound};
use crate::path::normalised;
use crate::problem::{self, About};
use crate::refusal::Refusal;
use crate::survey::{Ids, Survey, strip_hop_by_hop};
use crate::target::{ComponentTarget, StaticAnswer, Target};
use crate::watch::{Until, answer_until, wait_until};

/// How often those who wait for their turn look whether they still have to.
const TURN_LOOK: Duration = Duration::from_millis(50);

/// Answer one request. Dropping the future, which happens when the client goes away, cancels the guest.
pub(crate) async fn handle(
    connection: Arc<ConnectionState>,
    request: Request<Incoming>,
) -> Result<Response<Answer>, Infallible> {
    let (mut parts, incoming) = request.into_parts();
    let mut exchange = Exchange::start(Arc::clone(&connection), &parts);
    let mut survey = Survey::of(&parts.headers);
    let ids = survey.ids();
    exchange.identified(ids.log.clone());
    let mut answer = match check(&mut parts, &survey, &connection) {
        Err(refusal) => refused(exchange, &parts, &ids, refusal),
        Ok(()) if parts.uri.path() == "*" => Answer::whole(exchange, methods()),
        Ok(()) => route(exchange, parts, incoming, &survey, &ids, &connection).await,
    };
    ids.write(answer.headers_mut());
    Ok(answer)
}

/// What must hold before routes are asked.
fn check(parts: &mut Parts, survey: &Survey, connection: &ConnectionState) -> Result<(), Refusal> {
    if parts.method.as_str() == REFUSED_METHOD {
        let word = parts.uri.path().trim_start_matches('/');
        return Err(Refusal::from_word(word).unwrap_or(Refusal::Method));
    }
    if matches!(parts.method, Method::CONNECT | Method::TRACE) {
        return Err(Refusal::Method);
    }
    let limits = connection.config();
    let target_length = parts.uri.path_and_query().map_or(0, |path| path.as_str().len());
    if target_length > limits.target_bytes_max {
        return Err(Refusal::TargetTooLong);
    }
    if parts.headers.len() > limits.header_count_max {
        return Err(Refusal::HeadersTooLarge);
    }
    if !survey.values_are_utf8 {
        return Err(Refusal::HeaderEncoding);
    }
    check_address(parts, survey, connection)
}

/// To `OPTIONS *`, which asks about the gateway itself.
fn methods() -> Response<Bytes> {
    let mut answer = Response::new(Bytes::new());
    *answer.status_mut() = StatusCode::NO_CONTENT;
    answer.headers_mut().insert(ALLOW, HeaderValue::from_static(problem::ALLOWED_METHODS));
    answer
}

async fn route(
    mut exchange: Exchange,
    mut parts: Parts,
    incoming: Incoming,
    survey: &Survey,
    ids: &Ids,
    connection: &ConnectionState,
) -> Response<Answer> {
    let (site, sent_as) = {
        let path = match normalised(parts.uri.path()) {
            Ok(path) => path,
            Err(refusal) => return refused(exchange, &parts, ids, refusal),
        };
        let served = connection.served();
        let sites = served.sites_for(&parts.headers, connection.peer().ip());
        let Some(found) = sites.find(&path) else { return refused(exchange, &parts, ids, Refusal::NoRoute) };
        let site = Arc::clone(found.target().chosen(&parts.headers, connection.peer().ip()));
        let mut sent_as = Ok(None);
        if let Target::Component(target) = &site.target {
            survey.strip(&mut parts.headers);
            match &target.upstream {
                None => dress(&mut parts.headers, &parts.uri, &found, ids, connection),
                Some(upstream) => {
                    let forwarded = forward(&mut parts.headers, parts.version, upstream.forwarded, ids, connection);
                    sent_as = forwarded.and_then(|()| forwarded::sent_as(&parts.uri, &path));
                }
            }
        }
        (site, sent_as)
    };
    match sent_as {
        Ok(None) => {}
        Ok(Some(uri)) => parts.uri = uri,
        Err(refusal) => return refused(exchange, &parts, ids, refusal),
    }
    exchange.routed(Arc::clone(&site));
    match &site.target {
        Target::Static(answer) => Answer::whole(exchange, static_answer(answer)),
        Target::Component(target) => ask(exchange, parts, incoming, survey, ids, target, connection).await,
    }
}

fn static_answer(answer: &StaticAnswer) -> Response<Bytes> {
    let mut response = Response::new(answer.body.clone());
    *response.status_mut() = answer.status;
    *response.headers_mut() = answer.headers.clone();
    response
}

/// Have the component answer.
async fn ask(
    exchange: Exchange,
    parts: Parts,
    incoming: Incoming,
    survey: &Survey,
    ids: &Ids,
    target: &ComponentTarget,
    connection: &ConnectionState,
) -> Response<Answer> {
    let time = survey.timeout_ms.map_or(target.time, |ms| target.time.min(Duration::from_millis(ms)));
    let deadline = exchange.started + time;
    answer_until(Some(deadline));
    if let Some(turn) = target.account.turn(exchange.started) {
        wait_for_turn(turn.min(deadline), target).await;
    }
    let path = parts.uri.clone();
    let too_large = || Failure::BodyTooLarge { component: target.id.clone(), limit_bytes: target.body_in_bytes_max };
    let is_bare = http_body::Body::is_end_stream(&incoming);
    let copy = target.watch.as_ref().filter(|_| is_bare).and_then(|watch| watch.0.copies(&parts));
    // The component's time counts from the start of the request, the wait for a body included.
    let (body, overrun) = match inbound(incoming, target, deadline).await {
        Ok(fit) => fit,
        Err(Unfit::TooLarge) => return failed(exchange, path.path(), ids, &too_large()),
        Err(Unfit::Unfinished(refusal)) => return unfinished(exchange, &parts, ids, refusal),
    };
    let lineage = Lineage::root(target.id.clone());
    if let Some(revision) = &target.revision {
        lineage.frame().pin(revision);
    }
    if let Some(copy) = &copy {
        lineage.frame().attach(copy.tape());
    }
    let invocation = Invocation {
        target: target.id.clone(),
        cause: Cause::Http,
        deadline,
        request_id: ids.log.request_id.clone(),
        correlation_id: ids.log.correlation_id.clone(),
        trace: ids.log.trace,
        lineage,
        hops: 0,
        slot: Slot::default(),
    };
    let (method, version) = (parts.method.clone(), parts.version);
    let door = target.upstream.as_ref().map_or(connection.invoke(), |upstream| &*upstream.door);
    let running = door.http(invocation, Request::from_parts(parts, body));
    let answered = match (Until { future: running, deadline }).await {
        Some(Ok(response)) => {
            let response = match copy {
                Some(copy) => copied(response, copy),
                None => response,
            };
            finish_response(response, &method, target, deadline).await
        }
        Some(Err(failure)) => Err(failure),
        None => Err(exchange.too_late(deadline)),
    };
    match answered {
        Ok(response) => Answer::guest(exchange, response, deadline, version),
        // The guest's own trouble with a body that was cut off is of no interest to the client.
        Err(_) if overrun.happened() => failed(exchange, path.path(), ids, &too_large()),
        Err(failure) => failed(exchange, path.path(), ids, &failure),
    }
}

/// Until then, or until the component is no longer over its share.
async fn wait_for_turn(turn: Instant, target: &ComponentTarget) {
    loop {
        let now = hull_clock::now();
        if now >= turn || !target.account.is_over(now) {
            return;
        }
        wait_until(turn.min(now + TURN_LOOK)).await;
    }
}

/// Make of a guest's response one that can be sent.
async fn finish_response(
    mut response: Response<Body>,
    method: &Method,
    target: &ComponentTarget,
    deadline: Instant,
) -> Result<Response<Begun>, Failure> {
    if response.status().is_informational() {
        let message = format!("its status is {}, which is no answer", response.status().as_u16());
        return Err(Failure::NoResponse { component: target.id.clone(), message });
    }
    strip_hop_by_hop(response.headers_mut());
    let has_no_body = matches!(response.status(), StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    let (parts, body) = response.into_parts();
    let begun = if *method == Method::HEAD || has_no_body {
        discard(body, target, deadline).await?;
        Begun::Whole(Bytes::new())
    } else {
        Begun::of(body).await.map_err(|error| no_body(error, target))?
    };
    let mut response = Response::from_parts(parts, begun);
    check_length(&mut response);
    Ok(response)
}

fn no_body(error: BodyError, target: &ComponentTarget) -> Failure {
    match error {
        BodyError::Guest(failure) => failure,
        error => Failure::NoResponse { component: target.id.clone(), message: error.to_string() },
    }
}

/// The body goes nowhere, but the guest that writes it must come to its own end: dropping it would cancel what the
/// guest still does.
async fn discard(mut body: Body, target: &ComponentTarget, deadline: Instant) -> Result<(), Failure> {
    let drain = pin!(async {
        while let Some(frame) = body.frame().await {
            frame.map_err(|error| no_body(error, target))?;
        }
        Ok(())
    });
    let too_late = || Failure::DeadlineExceeded { component: target.id.clone(), after: target.time };
    (Until { future: drain, deadline }).await.unwrap_or_else(|| Err(too_late()))
}

/// A `Content-Length` that cannot be true is taken out: the HTTP library would send it as it is, and the client
/// would take one answer's end for the next one's beginning.
fn check_length(response: &mut Response<Begun>) {
    let length = told_length(response.headers());
    let is_single = response.headers().get_all(CONTENT_LENGTH).iter().nth(1).is_none();
    // The length of what HEAD leaves out, or 304, is the guest's to tell.
    let exact = response.body().length().filter(|&length| length > 0);
    let fits = length.is_some() && exact.is_none_or(|exact| length == Some(exact));
    if !(is_single && fits) {
        response.headers_mut().remove(CONTENT_LENGTH);
    }
}

fn refused(exchange: Exchange, parts: &Parts, ids: &Ids, refusal: Refusal) -> Response<Answer> {
    let is_stand_in = parts.method.as_str() == REFUSED_METHOD;
    let instance = (!is_stand_in).then(|| parts.uri.path());
    let about = About { instance, request_id: &ids.log.request_id, component: None };
    Answer::whole(exchange, problem::refused(refusal, &about))
}

/// After a body that is not whole nothing on an HTTP/1 connection can be told from the rest of it.
fn unfinished(exchange: Exchange, parts: &Parts, ids: &Ids, refusal: Refusal) -> Response<Answer> {
    let mut answer = refused(exchange, parts, ids, refusal);
    if parts.version != Version::HTTP_2 {
        answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    answer
}

fn failed(exchange: Exchange, path: &str, ids: &Ids, failure: &Failure) -> Response<Answer> {
    exchange.log(problem::log_level(failure), &failure.to_string());
    let component = exchange.component().map(|target| target.id.clone());
    let about = About { instance: Some(path), request_id: &ids.log.request_id, component: component.as_ref() };
    Answer::whole(exchange, problem::failed(failure, &about))
}
