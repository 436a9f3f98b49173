//! What is bounded, by the names that errors, metrics and `hull status` all use; and the port through which whoever
//! refuses something for a bound has it counted.

/// A bounded resource of one component.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resource {
    /// The bulkhead's places, where nobody may wait for one.
    Bulkhead,
    /// The instances that the bulkhead's members may have at once, where nobody may wait for one.
    Instances,
    /// The component's own bound on invocations at once.
    Concurrency,
    /// A rate over time.
    Rate,
    /// The host's instances or memory.
    Host,
    /// Places in the bulkhead's queue, and the time that one may wait there.
    Queue,
    /// Memories and tables of one instance.
    Memory,
    /// CPU time of one invocation.
    CpuPerInvocation,
    /// CPU time over a second.
    CpuRate,
    /// Wall time of one invocation.
    Time,
    /// The body of a request.
    BodyIn,
    /// Calls that nest, or events that led to events.
    CallDepth,
    /// Bytes of the database.
    Storage,
    /// One value.
    Value,
    /// Time of one SQL statement.
    StatementTime,
    /// Rows of one result.
    StatementRows,
    /// Time that a unit of work holds the writer.
    TransactionTime,
    /// Events handled at once.
    Consumers,
    /// Events published over time.
    MessageRate,
    /// Bytes of one event.
    MessageSize,
    /// Bytes logged over time.
    Logs,
    /// Outgoing requests at once.
    OutboundConcurrency,
    /// Wall time of one outgoing request.
    OutboundTime,
    /// Body of an outgoing request, or of its answer.
    OutboundBody,
}

impl Resource {
    /// Every one.
    pub const ALL: [Self; 24] = [
        Self::Bulkhead,
        Self::Instances,
        Self::Concurrency,
        Self::Rate,
        Self::Host,
        Self::Queue,
        Self::Memory,
        Self::CpuPerInvocation,
        Self::CpuRate,
        Self::Time,
        Self::BodyIn,
        Self::CallDepth,
        Self::Storage,
        Self::Value,
        Self::StatementTime,
        Self::StatementRows,
        Self::TransactionTime,
        Self::Consumers,
        Self::MessageRate,
        Self::MessageSize,
        Self::Logs,
        Self::OutboundConcurrency,
        Self::OutboundTime,
        Self::OutboundBody,
    ];

    /// The word used in metrics and answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bulkhead => "bulkhead",
            Self::Instances => "instances",
            Self::Concurrency => "concurrency",
            Self::Rate => "rate",
            Self::Host => "host",
            Self::Queue => "queue",
            Self::Memory => "memory",
            Self::CpuPerInvocation => "cpu-per-invocation",
            Self::CpuRate => "cpu-rate",
            Self::Time => "time",
            Self::BodyIn => "body-in",
            Self::CallDepth => "call-depth",
            Self::Storage => "storage",
            Self::Value => "value",
            Self::StatementTime => "statement-time",
            Self::StatementRows => "statement-rows",
            Self::TransactionTime => "transaction-time",
            Self::Consumers => "consumers",
            Self::MessageRate => "messages-rate",
            Self::MessageSize => "message-size",
            Self::Logs => "logs",
            Self::OutboundConcurrency => "outbound-concurrency",
            Self::OutboundTime => "outbound-time",
            Self::OutboundBody => "outbound-body",
        }
    }

    /// What its use and its bound are told in: base units, as metrics have them.
    pub fn unit(self) -> &'static str {
        match self {
            Self::Memory | Self::BodyIn | Self::Storage | Self::Value | Self::MessageSize | Self::OutboundBody => {
                "bytes"
            }
            Self::CpuPerInvocation | Self::Time | Self::StatementTime | Self::TransactionTime | Self::OutboundTime => {
                "seconds"
            }
            Self::CpuRate => "cores",
            Self::Logs => "bytes-per-second",
            Self::Rate | Self::MessageRate => "per-second",
            Self::Bulkhead
            | Self::Instances
            | Self::Concurrency
            | Self::Host
            | Self::Queue
            | Self::CallDepth
            | Self::StatementRows
            | Self::Consumers
            | Self::OutboundConcurrency => "count",
        }
    }
}

/// Counts what one component was refused. Called where work is done: it must not block.
pub trait CountRejected: Send + Sync + 'static {
    /// Something was refused, ended or cut because that resource is at its bound.
    fn rejected(&self, resource: Resource);
}
