//! A host for tests of its parts: it can do everything but compile.

use std::path::Path;
use std::sync::Arc;

use hull_dispatch::RunOrder;
use hull_gateway::{Gateway, GatewayConfig};
use hull_manifest::Host;
use hull_storage::StateDir;
use hull_telemetry::{Logs, Metrics};

use crate::node::{Node, NodeConfig};

/// One that keeps what it has in that folder.
pub(crate) async fn node_in(folder: &Path) -> Arc<Node> {
    let metrics = Arc::new(Metrics::new());
    let listen = ([127, 0, 0, 1], 0).into();
    let gateway = Gateway::bind(GatewayConfig { listen, ..GatewayConfig::default() }, &metrics).expect("bound");
    let node = Node::start(NodeConfig {
        host: Host::default(),
        state_dir: StateDir::open(folder).expect("a state directory"),
        run_order: RunOrder::default(),
        sabotage: None,
        crash_at: None,
        compile_program: "/nowhere".into(),
        routes: gateway.routes(),
        logs: Logs::new(Arc::clone(&metrics)),
        metrics,
    });
    node.await.expect("a node")
}
