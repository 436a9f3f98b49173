//! The one door to every guest: admission first, then the guest. Knows no wasm, no HTTP server and no bus.

mod account;
mod attendance;
mod compartment;
mod door;
mod invoke;
mod own_time;
mod pace;
mod recent;
mod run_queue;
mod standby;
mod turn;

pub use account::{Account, CpuBounds};
pub use attendance::Attendance;
pub use compartment::{Compartment, CompartmentStatus};
pub use door::{Admission, Dispatch, Observer};
pub use hull_admission::{BulkheadLimits, Share};
pub use invoke::{Body, BodyError, Invoke};
pub use run_queue::{RunOrder, RunQueue, Running};
pub use turn::Stint;
