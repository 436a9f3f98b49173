//! One HTTP request to one guest, for both generations of `wasi:http`.

use std::pin::Pin;
use std::sync::Arc;

use http_body_util::BodyExt;
use hull_dispatch::{Body, BodyError};
use hull_invocation::{Failure, Invocation};
use tokio::sync::oneshot;
use wasmtime::component::Accessor;
use wasmtime_wasi_http::WasiHttpView;
use wasmtime_wasi_http::p2::bindings::http::types::Scheme;
use wasmtime_wasi_http::p2::bindings::{Proxy, ProxyIndices};
use wasmtime_wasi_http::p3::bindings::{Service, ServiceIndices};
use wasmtime_wasi_http::{Error as WasiError, WasiBody};

use crate::deploy::{HttpIndices, Version};
use crate::drive::{Driver, GuestFuture};
use crate::instance::Sandbox;
use crate::registry::Shared;
use crate::response::{Cut, Head, answer};
use crate::spec::Reuse;
use crate::state::HostState;

/// Run the guest in place: on the task of whoever waits for the answer.
pub(crate) async fn serve(
    shared: &Arc<Shared>,
    version: Arc<Version>,
    invocation: Invocation,
    request: http::Request<Body>,
) -> Result<http::Response<Body>, Failure> {
    let component = invocation.target.clone();
    let account = Arc::clone(&version.account);
    let deadline = invocation.deadline;
    let request = request.map(|body| body.map_err(wasi_error).boxed_unsync());
    if matches!(version.reuse, Reuse::Concurrent { .. }) {
        return crate::concurrent::serve(shared, version, invocation, request).await;
    }
    let (head_sender, head) = oneshot::channel();
    let serving = Arc::clone(shared);
    let cut = Cut::default();
    let guarding = cut.clone();
    let guest: GuestFuture = Box::pin(async move {
        let sandbox = Sandbox::open(&serving, &version, &invocation, None).await?;
        match &version.handlers.http {
            Some(HttpIndices::V02(indices)) => run_v02(sandbox, indices, request, head_sender, &guarding).await,
            Some(HttpIndices::V03(indices)) => run_v03(sandbox, indices, request, head_sender, &guarding).await,
            None => {
                let handler = "wasi:http/incoming-handler@0.2 or wasi:http/handler@0.3";
                Err(Failure::NoHandler { component: invocation.target.clone(), handler })
            }
        }
    });
    let driver = Driver::new(shared, guest, component.clone(), &account, deadline);
    answer(component, driver, head, cut).await
}

fn wasi_error(error: BodyError) -> WasiError {
    match error {
        BodyError::TooLarge { limit_bytes } => WasiError::HttpRequestBodySize(Some(limit_bytes)),
        BodyError::Peer(_) => WasiError::ConnectionTerminated,
        BodyError::Guest(failure) => WasiError::InternalError(Some(failure.to_string())),
    }
}

async fn run_v02(
    mut sandbox: Sandbox,
    indices: &ProxyIndices,
    request: http::Request<WasiBody>,
    head: oneshot::Sender<Head>,
    cut: &Cut,
) -> Result<(), Failure> {
    // Dropped before the sandbox, whatever ends it.
    let cut = cut.on_drop();
    let result = call_v02(&mut sandbox, indices, request, head).await;
    if result.is_ok() {
        cut.disarm();
    } else {
        drop(cut);
    }
    finish(sandbox, result)
}

async fn call_v02(
    sandbox: &mut Sandbox,
    indices: &ProxyIndices,
    request: http::Request<WasiBody>,
    head: oneshot::Sender<Head>,
) -> wasmtime::Result<()> {
    let Sandbox { store, instance, proxy, .. } = sandbox;
    let proxy: &Proxy = match proxy {
        Some(known) => known,
        unknown => unknown.insert(indices.load(&mut *store, instance)?),
    };
    let mut http = store.data_mut().http();
    let request = http.new_incoming_request(Scheme::Http, request)?;
    let out = http.new_response_outparam_from_callback(move |response| {
        // The receiver is gone when the client is; the guest learns of that by being dropped.
        let _ = head.send(response.map_err(|code| code.to_string()));
    })?;
    proxy.wasi_http_incoming_handler().call_handle(store, request, out).await
}

async fn run_v03(
    mut sandbox: Sandbox,
    indices: &ServiceIndices,
    request: http::Request<WasiBody>,
    head: oneshot::Sender<Head>,
    cut: &Cut,
) -> Result<(), Failure> {
    let cut = cut.on_drop();
    let Sandbox { store, instance, .. } = &mut sandbox;
    let result = match indices.load(&mut *store, instance) {
        Ok(service) => {
            let call = async move |accessor: &Accessor<HostState>| {
                call_v03(accessor, &service, request, head).await?;
                // The guest may have tasks that write the body, or that nobody waits for.
                std::future::poll_fn(|cx| accessor.poll_no_interesting_tasks(cx)).await;
                Ok(())
            };
            store.run_concurrent(call).await.and_then(std::convert::identity)
        }
        Err(error) => Err(error),
    };
    if result.is_ok() {
        cut.disarm();
    } else {
        drop(cut);
    }
    finish(sandbox, result)
}

/// Call the handler and hand its answer on. The body that goes with it is fed while the store keeps running.
pub(crate) async fn call_v03(
    accessor: &Accessor<HostState>,
    service: &Service,
    request: http::Request<WasiBody>,
    head: oneshot::Sender<Head>,
) -> wasmtime::Result<()> {
    let request = with_absolute_uri(request)?;
    let (request, request_sent) = accessor.with(|mut store| {
        let hooks = store.data_mut().http().hooks;
        let (request, sent) = wasmtime_wasi_http::p3::Request::from_http(hooks, request);
        (request, Box::pin(sent) as Pin<Box<dyn Future<Output = Result<(), WasiError>> + Send>>)
    });
    let response = match service.handle(accessor, request).await? {
        Ok(response) => accessor.with(|store| response.into_http(store, request_sent)).map_err(|e| e.to_string()),
        Err(code) => Err(code.to_string()),
    };
    // The receiver is gone when the client is.
    let _ = head.send(response);
    Ok(())
}

/// The 0.3 bindings read authority and scheme from the URI alone, and requests come with both in their headers.
fn with_absolute_uri(mut request: http::Request<WasiBody>) -> wasmtime::Result<http::Request<WasiBody>> {
    if request.uri().authority().is_none() {
        let host = request.headers().get(http::header::HOST).map_or(&b""[..], http::HeaderValue::as_bytes);
        let authority = http::uri::Authority::try_from(host)?;
        let mut parts = std::mem::take(request.uri_mut()).into_parts();
        parts.scheme = Some(http::uri::Scheme::HTTP);
        parts.authority = Some(authority);
        *request.uri_mut() = http::Uri::from_parts(parts)?;
    }
    Ok(request)
}

fn finish(sandbox: Sandbox, result: wasmtime::Result<()>) -> Result<(), Failure> {
    match result {
        Ok(()) => {
            sandbox.close();
            Ok(())
        }
        Err(error) => Err(sandbox.failure(&error)),
    }
}
