//! One request from its head to the last byte of its answer: counted, timed and logged when it is over, however
//! it ends.

use std::sync::Arc;
use std::time::Instant;

use http::{Method, StatusCode, Version};
use hull_dispatch::Attendance;
use hull_invocation::{CountRejected as _, Failure, Resource};
use hull_telemetry::{ComponentMetrics, Level, LogIds, LogSource};
use tracing::Level as TracingLevel;

use crate::config::AccessLog;
use crate::connection::ConnectionState;
use crate::target::{ComponentTarget, Site, Target};
use crate::watch::answer_until;

/// The status that is logged when the client goes away before there is an answer; never sent.
const CLIENT_GONE: u16 = 499;

/// A request that is being answered.
#[derive(Debug)]
pub(crate) struct Exchange {
    connection: Arc<ConnectionState>,
    pub(crate) started: Instant,
    site: Option<Arc<Site>>,
    ids: Option<LogIds>,
    status: u16,
    body_bytes: u64,
    complete: bool,
    /// When an answer is cut short that a guest has begun.
    cut_at: Option<Instant>,
    access: Option<Box<Access>>,
}

#[derive(Debug)]
struct Access {
    method: Method,
    path: String,
    version: Version,
}

impl Exchange {
    pub(crate) fn start(connection: Arc<ConnectionState>, request: &http::request::Parts) -> Self {
        connection.answer_started();
        // The query is left out: it may hold what logs should not.
        let access = is_logged(connection.access_log()).then(|| {
            let path = request.uri.path().to_owned();
            Box::new(Access { method: request.method.clone(), path, version: request.version })
        });
        Self {
            connection,
            started: hull_clock::now(),
            site: None,
            ids: None,
            status: CLIENT_GONE,
            body_bytes: 0,
            complete: false,
            cut_at: None,
            access,
        }
    }

    pub(crate) fn identified(&mut self, ids: LogIds) {
        self.ids = Some(ids);
    }

    /// A route has been found.
    pub(crate) fn routed(&mut self, site: Arc<Site>) {
        if let Target::Component(target) = &site.target {
            target.metrics.http_started();
            Attendance::of(&target.account);
        }
        self.site = Some(site);
    }

    /// The component that answers, if it is one.
    pub(crate) fn component(&self) -> Option<&ComponentTarget> {
        match &self.site.as_ref()?.target {
            Target::Component(target) => Some(target),
            Target::Static(_) => None,
        }
    }

    pub(crate) fn answered(&mut self, status: StatusCode) {
        self.status = status.as_u16();
    }

    /// A guest goes on with the answer until that time at most.
    pub(crate) fn streams_until(&mut self, deadline: Instant) {
        self.cut_at = Some(deadline);
    }

    pub(crate) fn wrote(&mut self, bytes: usize) {
        self.body_bytes += bytes as u64;
    }

    pub(crate) fn completed(&mut self) {
        self.complete = true;
    }

    /// The failure of an answer that is not complete at its deadline.
    pub(crate) fn too_late(&self, deadline: Instant) -> Failure {
        match self.component() {
            Some(target) => {
                let after = deadline.saturating_duration_since(self.started);
                Failure::DeadlineExceeded { component: target.id.clone(), after }
            }
            None => Failure::Cancelled,
        }
    }

    /// Tell the component's log what its client is not told.
    pub(crate) fn log(&self, level: Level, message: &str) {
        if let Some(target) = self.component() {
            target.log.write(level, LogSource::Host, self.ids.clone(), message);
        }
    }

    fn write_access_log(&self, access: &Access) {
        let ids = self.ids.as_ref();
        let target = self.component();
        let took = hull_clock::now() - self.started;
        macro_rules! line {
            ($level:expr) => {
                tracing::event!(
                    target: "hull::access",
                    $level,
                    method = access.method.as_str(),
                    path = access.path,
                    version = ?access.version,
                    status = self.status,
                    duration_us = took.as_micros() as u64,
                    body_bytes = self.body_bytes,
                    complete = self.complete,
                    client = %self.connection.peer(),
                    app = target.map(|target| target.id.app()),
                    component = target.map(|target| target.id.component()),
                    request_id = ids.map(|ids| ids.request_id.as_str()),
                    correlation_id = ids.map(|ids| ids.correlation_id.as_str()),
                    trace_id = ids.map(|ids| tracing::field::display(ids.trace.trace_id())),
                )
            };
        }
        if self.connection.access_log() == AccessLog::Info {
            line!(TracingLevel::INFO);
        } else {
            line!(TracingLevel::DEBUG);
        }
    }
}

/// Whether anybody would see a line; asked before anything is kept for it.
fn is_logged(configured: AccessLog) -> bool {
    match configured {
        AccessLog::Off => false,
        AccessLog::Debug => tracing::enabled!(target: "hull::access", TracingLevel::DEBUG),
        AccessLog::Info => tracing::enabled!(target: "hull::access", TracingLevel::INFO),
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        answer_until(None);
        self.connection.answer_ended();
        if let Some(target) = self.component() {
            let metrics: &ComponentMetrics = &target.metrics;
            let now = hull_clock::now();
            metrics.http_left();
            metrics.http_ended(self.status, now - self.started);
            if let Some(watch) = &target.watch {
                watch.0.answered(now - self.started, self.status);
            }
            // The invocation counted as answered when the answer began.
            if !self.complete && self.cut_at.is_some_and(|cut_at| now >= cut_at) {
                metrics.rejected(Resource::Time);
            }
        } else if self.site.is_none() {
            self.connection.metrics().requests_refused.inc();
        }
        if let Some(access) = &self.access {
            self.write_access_log(access);
        }
    }
}
