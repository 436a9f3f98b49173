//! How an invocation fails. The gateway turns a failure into an HTTP status, `events` into ack, retry or dead
//! letter; nobody else interprets it.

use std::time::Duration;

use crate::{ComponentId, Resource};

/// Why an invocation did not come to its own end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// No such component is deployed.
    #[error("there is no component {0}")]
    UnknownComponent(ComponentId),
    /// The component has no handler for this kind of invocation.
    #[error("{component} exports no {handler}")]
    NoHandler {
        /// Which component.
        component: ComponentId,
        /// The interface that it would have to export.
        handler: &'static str,
    },
    /// Refused before any instance was touched.
    #[error("{component} is at its bound ({}); try again in {retry_after:?}", resource.as_str())]
    Shed {
        /// Which component.
        component: ComponentId,
        /// What ran out.
        resource: Resource,
        /// When it is worth trying again.
        retry_after: Duration,
    },
    /// The deadline passed.
    #[error("{component} did not answer within {after:?} (limits.time, the route's timeout or the caller's deadline)")]
    DeadlineExceeded {
        /// Which component.
        component: ComponentId,
        /// How long it had.
        after: Duration,
    },
    /// The guest used the CPU time that one invocation may use.
    #[error("{component} used more than its {limit:?} of CPU (limits.cpu-per-invocation)")]
    CpuExceeded {
        /// Which component.
        component: ComponentId,
        /// The bound.
        limit: Duration,
    },
    /// The guest asked for more memory than it may have, and did not survive the refusal.
    #[error("{component} needs more than its {limit_bytes} bytes of memory (limits.memory)")]
    MemoryExceeded {
        /// Which component.
        component: ComponentId,
        /// The bound.
        limit_bytes: u64,
    },
    /// The guest trapped or panicked.
    #[error("{component} failed: {message}")]
    Trapped {
        /// Which component.
        component: ComponentId,
        /// The trap, for people.
        message: String,
    },
    /// The guest returned without an answer, or with half of one.
    #[error("{component} ended without a complete response: {message}")]
    NoResponse {
        /// Which component.
        component: ComponentId,
        /// What is missing.
        message: String,
    },
    /// The request's body is larger than `limits.body-in-max`.
    #[error("the request's body is larger than {limit_bytes} bytes (limits.body-in-max of {component})")]
    BodyTooLarge {
        /// Which component.
        component: ComponentId,
        /// The bound.
        limit_bytes: u64,
    },
    /// The request cannot be given to a guest.
    #[error("bad request: {0}")]
    BadRequest(String),
    /// Calls nest too deep, are too many, or events led to events too often.
    #[error("{component}: {message}")]
    ChainTooLong {
        /// Which component.
        component: ComponentId,
        /// Which bound.
        message: String,
    },
    /// Whoever waited for the answer has gone away.
    #[error("cancelled: the caller has gone away")]
    Cancelled,
    /// The component's database, or the bus, failed it.
    #[error("{component}: {message}")]
    Unavailable {
        /// Which component.
        component: ComponentId,
        /// What failed.
        message: String,
    },
    /// The server elsewhere that answers in a component's place cannot be connected to.
    #[error("{component} cannot be reached: {message}")]
    Unreachable {
        /// Which upstream.
        component: ComponentId,
        /// What failed.
        message: String,
    },
    /// The host failed; the text is for its log.
    #[error("internal error: {0}")]
    Internal(String),
}

impl Failure {
    /// The word used in metrics and in the `type` of a problem answer.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::UnknownComponent(_) => "unknown-component",
            Self::NoHandler { .. } => "no-handler",
            Self::Shed { .. } => "shed",
            Self::DeadlineExceeded { .. } => "deadline-exceeded",
            Self::CpuExceeded { .. } => "cpu-exceeded",
            Self::MemoryExceeded { .. } => "memory-exceeded",
            Self::Trapped { .. } => "trapped",
            Self::NoResponse { .. } => "no-response",
            Self::BodyTooLarge { .. } => "body-too-large",
            Self::BadRequest(_) => "bad-request",
            Self::ChainTooLong { .. } => "chain-too-long",
            Self::Cancelled => "cancelled",
            Self::Unavailable { .. } => "unavailable",
            Self::Unreachable { .. } => "unreachable",
            Self::Internal(_) => "internal",
        }
    }

    /// The resource whose bound was met, if that is why.
    pub fn resource(&self) -> Option<Resource> {
        match self {
            Self::Shed { resource, .. } => Some(*resource),
            Self::DeadlineExceeded { .. } => Some(Resource::Time),
            Self::CpuExceeded { .. } => Some(Resource::CpuPerInvocation),
            Self::MemoryExceeded { .. } => Some(Resource::Memory),
            Self::BodyTooLarge { .. } => Some(Resource::BodyIn),
            Self::ChainTooLong { .. } => Some(Resource::CallDepth),
            Self::UnknownComponent(_)
            | Self::NoHandler { .. }
            | Self::Trapped { .. }
            | Self::NoResponse { .. }
            | Self::BadRequest(_)
            | Self::Cancelled
            | Self::Unavailable { .. }
            | Self::Unreachable { .. }
            | Self::Internal(_) => None,
        }
    }
}
