//! The front: connections, the shapes of requests and answers, and where in a call a fault strikes.

use super::beanstalk::environment::Environment;
use super::faults::{Callback, Effect};
use super::iam::Principal;
use super::service::Service;
use super::state::{Call, Moment, Reply, State};
use super::{Form, Refusal, xml};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE};
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use serde_json::json;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use tokio::sync::oneshot;

type Shared = Arc<Mutex<State>>;

/// The connection ends without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the connection ends here, as a fault asked")]
struct Cut;

/// Serves on a thread of its own until the other end of `ended` is dropped.
pub(super) fn serve(
    listener: std::net::TcpListener,
    state: Shared,
    ended: oneshot::Receiver<()>,
) -> std::io::Result<()> {
    listener.set_nonblocking(true)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
    std::thread::Builder::new().name("local aws".to_owned()).spawn(move || {
        runtime.block_on(async {
            tokio::select! {
                _ = ended => {}
                _ = accept(listener, state) => {}
            }
        });
        runtime.shutdown_background();
    })?;
    Ok(())
}

async fn accept(listener: std::net::TcpListener, state: Shared) -> std::io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    loop {
        let (stream, _) = listener.accept().await?;
        let state = Arc::clone(&state);
        tokio::spawn(async move {
            let service = service_fn(|request| handle(Arc::clone(&state), request));
            // A connection that was cut is an error here and nowhere else.
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

/// A request whose service, action and caller are known.
struct Asked {
    service: Service,
    action: String,
    body: String,
    caller: Principal,
}

/// What is wrong with a request, and whether the answer is JSON or XML.
struct Rejected(Option<Service>, Refusal);

async fn handle(state: Shared, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Cut> {
    let moment = Moment { at: Timestamp::now(), request: uuid::Uuid::new_v4().to_string() };
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| Cut)?.to_bytes();
    if let Some(environment) = head.uri.path().strip_prefix("/_app/").filter(|_| head.method == Method::GET) {
        return Ok(app(&lock(&state), environment, &moment));
    }
    let asked = match read(&lock(&state), &head, &body) {
        Ok(asked) => asked,
        Err(Rejected(service, refusal)) => return Ok(refused(service, &refusal, &moment)),
    };
    let _under_way = UnderWay::begin(&state);
    let effects = arrive(&state, &asked, &moment);
    let latency = lock(&state).latency;
    if !latency.is_zero() {
        tokio::time::sleep(latency).await;
    }
    let outcome = struck(&state, &asked, &moment, effects).await?;
    Ok(match outcome {
        Ok(reply) => answered(&asked, reply, &moment),
        Err(refusal) => refused(Some(asked.service), &refusal, &moment),
    })
}

/// What the app of an environment answers; no call of AWS.
fn app(state: &State, environment: &str, moment: &Moment) -> Response<Full<Bytes>> {
    let status = state.world.beanstalk.environment(environment).map_or(404, Environment::app_answers);
    response(status, "text/plain", format!("{status}\n"), moment)
}

/// Counts a call as in flight until it is dropped, also where the caller goes away.
struct UnderWay(Shared);

impl UnderWay {
    fn begin(state: &Shared) -> UnderWay {
        lock(state).in_flight += 1;
        UnderWay(Arc::clone(state))
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        lock(&self.0).in_flight -= 1;
    }
}

/// Writes the call down and finds what is to happen to it.
fn arrive(state: &Shared, asked: &Asked, moment: &Moment) -> Vec<Effect> {
    let mut state = lock(state);
    let call = Call {
        service: asked.service.name(),
        action: asked.action.clone(),
        body: asked.body.clone(),
        principal: asked.caller.arn.clone(),
        at: moment.at,
        in_flight: state.in_flight,
    };
    let mut effects = state.faults.strike(&call.name());
    if let Some(rates) = &mut state.rates
        && !rates.allow(asked.service, &asked.action, Instant::now())
    {
        effects.insert(0, Effect::Throttle);
    }
    state.calls.push(call);
    effects
}

/// Handles a call with everything that happens before and after.
async fn struck(
    state: &Shared,
    asked: &Asked,
    moment: &Moment,
    effects: Vec<Effect>,
) -> Result<Result<Reply, Refusal>, Cut> {
    let Asked { service, action, body, caller } = asked;
    let mut is_stale = false;
    let mut after = Vec::new();
    for effect in effects {
        match effect {
            Effect::Throttle => return Ok(Err(service.throttled())),
            Effect::Deny => return Ok(Err(service.denied(denial(asked)))),
            Effect::Internal => return Ok(Err(service.broken())),
            Effect::Refuse(refusal) => return Ok(Err(refusal)),
            Effect::Reset => return Err(Cut),
            Effect::KillBefore(kill) => {
                beside(kill).await;
                return Err(Cut);
            }
            Effect::Delay(time) => tokio::time::sleep(time).await,
            Effect::Meanwhile(other) => beside(other).await,
            Effect::StaleRead => is_stale = true,
            Effect::InternalAfter | Effect::LoseReply | Effect::Afterwards(_) | Effect::KillAfter(_) => {
                after.push(effect);
            }
        }
    }
    let answer = if is_stale { State::answer_stale } else { State::answer };
    let outcome = answer(&mut lock(state), *service, action, body, caller, moment);
    for effect in after {
        match effect {
            Effect::InternalAfter => return Ok(Err(service.broken())),
            Effect::LoseReply => return Err(Cut),
            Effect::Afterwards(other) => beside(other).await,
            Effect::KillAfter(kill) => {
                beside(kill).await;
                return Err(Cut);
            }
            _ => {}
        }
    }
    Ok(outcome)
}

/// Runs a callback where it may block, and may call this cloud.
async fn beside(callback: Callback) {
    // A callback that panics fails the test that waits for what it was to do.
    let _ = tokio::task::spawn_blocking(move || callback()).await;
}

fn denial(asked: &Asked) -> String {
    let action = format!("{}:{}", asked.service.name(), asked.action);
    format!(
        "User: {} is not authorized to perform: {action} on resource: * because no identity-based policy allows the {action} action",
        asked.caller.arn
    )
}

fn read(state: &State, head: &hyper::http::request::Parts, body: &[u8]) -> Result<Asked, Rejected> {
    let header = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok());
    let body = String::from_utf8(body.to_vec())
        .map_err(|_| Rejected(None, Refusal::new("SerializationException", "the body is not UTF-8")))?;
    let (service, action) = match header("x-amz-target") {
        Some(target) => match Service::targeted(target) {
            Some((service, action)) => (service, action.to_owned()),
            None => return Err(Rejected(None, Refusal::new("UnknownOperationException", target))),
        },
        None => queried(&Form::parse(&body))?,
    };
    let rejected = |refusal| Rejected(Some(service), refusal);
    let content = if service.speaks_query() {
        "application/x-www-form-urlencoded"
    } else {
        "application/x-amz-json-1.1"
    };
    if head.method != Method::POST
        || !header(CONTENT_TYPE.as_str()).is_some_and(|own| own.starts_with(content))
    {
        return Err(rejected(service.unknown(&action)));
    }
    let Some(authorization) = header(AUTHORIZATION.as_str()) else {
        return Err(rejected(unsigned(service)));
    };
    let caller = signed(state, service, authorization).map_err(rejected)?;
    Ok(Asked { service, action, body, caller })
}

/// The service and action that a form names.
fn queried(form: &Form) -> Result<(Service, String), Rejected> {
    let version = form.get("Version").unwrap_or_default();
    let service =
        [Service::Sts, Service::Iam, Service::Beanstalk].into_iter().find(|one| one.version() == version);
    match (service, form.get("Action").or(form.get("Operation"))) {
        (Some(service), Some(action)) => Ok((service, action.to_owned())),
        _ => {
            let refusal = Refusal::new("MissingAction", "no action of a service that is modelled here");
            Err(Rejected(Some(Service::Beanstalk), refusal))
        }
    }
}

fn unsigned(service: Service) -> Refusal {
    if service.speaks_query() {
        Refusal::new("MissingAuthenticationToken", "Request is missing Authentication Token").status(403)
    } else {
        Refusal::new("MissingAuthenticationTokenException", "Missing Authentication Token")
    }
}

/// The principal of a signature's access key ID. The signature itself is not verified, its scope is.
fn signed(state: &State, service: Service, authorization: &str) -> Result<Principal, Refusal> {
    let incomplete = || {
        Refusal::new(
            if service.speaks_query() { "IncompleteSignature" } else { "IncompleteSignatureException" },
            "Authorization header requires 'Credential', 'SignedHeaders' and 'Signature'",
        )
    };
    let rest = authorization.strip_prefix("AWS4-HMAC-SHA256 ").ok_or_else(incomplete)?;
    let part =
        |name: &str| rest.split(',').find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('='));
    let (Some(credential), Some(_), Some(_)) = (part("Credential"), part("SignedHeaders"), part("Signature"))
    else {
        return Err(incomplete());
    };
    let scope: Vec<&str> = credential.split('/').collect();
    let [access_key, _day, region, signed_for, "aws4_request"] = scope[..] else { return Err(incomplete()) };
    // IAM is in no region, and is signed for as one that is always the same.
    let everywhere = service == Service::Iam;
    if Service::signed_as(signed_for) != Some(service) || (region != state.world.realm.region && !everywhere)
    {
        let code = if service.speaks_query() { "SignatureDoesNotMatch" } else { "InvalidSignatureException" };
        let message = format!("Credential should be scoped to a valid region and to {}.", service.name());
        return Err(Refusal::new(code, message).status(403));
    }
    state.world.identities.principals.get(access_key).cloned().ok_or_else(|| {
        let code =
            if service.speaks_query() { "InvalidClientTokenId" } else { "UnrecognizedClientException" };
        let status = if service.speaks_query() { 403 } else { 400 };
        Refusal::new(code, "The security token included in the request is invalid.").status(status)
    })
}

fn answered(asked: &Asked, reply: Reply, moment: &Moment) -> Response<Full<Bytes>> {
    match reply {
        Reply::Json(value) => response(200, "application/x-amz-json-1.1", value.to_string(), moment),
        Reply::Xml(inner) => {
            let Asked { service, action, .. } = asked;
            let result = if inner.is_empty() {
                String::new()
            } else {
                xml::element(&format!("{action}Result"), &inner)
            };
            let metadata = xml::element("ResponseMetadata", &xml::text("RequestId", &moment.request));
            let namespace = service.namespace();
            let body =
                format!("<{action}Response xmlns=\"{namespace}\">{result}{metadata}</{action}Response>");
            response(200, "text/xml", body, moment)
        }
    }
}

fn refused(service: Option<Service>, refusal: &Refusal, moment: &Moment) -> Response<Full<Bytes>> {
    let Refusal { status, code, message } = refusal;
    match service.filter(|service| service.speaks_query()) {
        None => {
            let body = json!({"__type": code, "message": message}).to_string();
            response(*status, "application/x-amz-json-1.1", body, moment)
        }
        Some(service) => {
            let kind = if *status < 500 { "Sender" } else { "Receiver" };
            let error = xml::text("Type", kind) + &xml::text("Code", code) + &xml::text("Message", message);
            let inner = xml::element("Error", &error) + &xml::text("RequestId", &moment.request);
            let namespace = service.namespace();
            let body = format!("<ErrorResponse xmlns=\"{namespace}\">{inner}</ErrorResponse>");
            response(*status, "text/xml", body, moment)
        }
    }
}

fn response(status: u16, content: &str, body: String, moment: &Moment) -> Response<Full<Bytes>> {
    Response::builder()
        .status(status)
        .header(CONTENT_TYPE, content)
        .header("x-amzn-requestid", &moment.request)
        .body(Full::new(Bytes::from(body)))
        .expect("all parts of the head are well-formed")
}

fn lock(state: &Shared) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
