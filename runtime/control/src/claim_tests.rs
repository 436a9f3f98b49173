//! What is claimed and does not serve is given back, whoever gave the deployment up.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use hull_bus::{Bus, BusError, BusStatus, Consumer, ConsumerSpec, Page, Published, ReadFrom, Responder};
use hull_invocation::{Event, Reply};
use hull_manifest::{App, Name, Reading, SubjectPattern};
use tokio::sync::mpsc;

use super::Claim;
use crate::node::Node;
use crate::test_node::node_in;

/// A bus that tells what is claimed on it and what is released, and takes long to claim.
struct Telling {
    inner: Arc<dyn Bus>,
    told: mpsc::UnboundedSender<String>,
}

#[async_trait]
impl Bus for Telling {
    async fn publish(&self, app: &str, event: &Event) -> Result<Published, BusError> {
        self.inner.publish(app, event).await
    }

    async fn consumer(&self, spec: ConsumerSpec) -> Result<Box<dyn Consumer>, BusError> {
        self.inner.consumer(spec).await
    }

    async fn remove_consumer(&self, app: &str, component: &str, pattern: &SubjectPattern) -> Result<(), BusError> {
        self.inner.remove_consumer(app, component, pattern).await
    }

    async fn read(&self, app: &str, pattern: &SubjectPattern, from: ReadFrom, max: usize) -> Result<Page, BusError> {
        self.inner.read(app, pattern, from, max).await
    }

    async fn request(&self, app: &str, event: &Event, timeout: Duration) -> Result<Reply, BusError> {
        self.inner.request(app, event, timeout).await
    }

    async fn responder(
        &self,
        app: &str,
        component: &str,
        pattern: &SubjectPattern,
    ) -> Result<Box<dyn Responder>, BusError> {
        self.inner.responder(app, component, pattern).await
    }

    async fn claim(&self, app: &str, _: &str) -> Result<(), BusError> {
        self.told.send(format!("claimed {app}")).expect("the test listens");
        std::future::pending().await
    }

    async fn release(&self, app: &str) {
        self.told.send(format!("released {app}")).expect("the test listens");
    }

    async fn remove_stream(&self, app: &str) -> Result<(), BusError> {
        self.inner.remove_stream(app).await
    }

    async fn status(&self) -> BusStatus {
        self.inner.status().await
    }

    async fn shutdown(&self) {
        self.inner.shutdown().await;
    }
}

async fn telling_node(folder: &std::path::Path) -> (Arc<Node>, mpsc::UnboundedReceiver<String>) {
    let mut node = node_in(folder).await;
    let (told, tells) = mpsc::unbounded_channel();
    let inner = node.bus();
    Arc::get_mut(&mut node).expect("nobody else has it yet").bus = Arc::new(Telling { inner, told });
    (node, tells)
}

fn app() -> App {
    let text = "spin_manifest_version = 2\n[application]\nname = \"shop\"\n[[trigger.http]]\nroute = \"/\"\n\
                component = \"web\"\n[component.web]\nsource = \"web.wasm\"\n";
    App::parse(text, &Reading::alone("spin.toml")).expect("a manifest")
}

#[tokio::test]
async fn a_deployment_that_is_dropped_gives_back_what_it_was_claiming() {
    let folder = tempfile::tempdir().expect("a folder");
    let (node, mut tells) = telling_node(folder.path()).await;
    let turn = node.turn().await;
    let app = app();
    {
        let claiming = node.claim_and_migrate(&app, &[]);
        tokio::select! {
            _ = claiming => panic!("nobody answers"),
            told = tells.recv() => assert_eq!(told.as_deref(), Some("claimed shop")),
        }
    }
    tokio::task::yield_now().await;
    assert!(tells.try_recv().is_err(), "somebody else may be deploying it");
    drop(turn);
    assert_eq!(tells.recv().await.as_deref(), Some("released shop"));
}

#[tokio::test]
async fn what_is_kept_is_not_given_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let (node, mut tells) = telling_node(folder.path()).await;
    let name: Name = "shop".parse().expect("a name");
    Claim::new(&node, &name).keep();
    Claim::new(&node, &name).give_back().await;
    assert_eq!(tells.recv().await.as_deref(), Some("released shop"));
    drop(node.turn().await);
    tokio::task::yield_now().await;
    assert!(tells.try_recv().is_err(), "once is enough");
}
