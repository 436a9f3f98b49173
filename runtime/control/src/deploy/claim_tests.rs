//! What is claimed and does not serve is given back, whoever gave the deployment up.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use hull_invocation::ComponentId;
use hull_manifest::{App, Host, Name, Reading};

use super::Claim;
use crate::deploy::component::database_options;
use crate::deployments::Deployments;
use crate::node::Node;
use crate::node::test_node::node_in;
use crate::revisions::Removal;
use weak_bus::{WeakBus, Weakness};

#[allow(dead_code)]
#[path = "../../../events/tests/events/weak_bus.rs"]
mod weak_bus;

async fn on_a_weak_bus(folder: &std::path::Path) -> (Arc<Node>, Arc<Weakness>) {
    let mut node = node_in(folder).await;
    let (inner, weakness) = (node.bus(), Arc::new(Weakness::default()));
    let bus = WeakBus { inner, weakness: Arc::clone(&weakness) };
    Arc::get_mut(&mut node).expect("nobody else has it yet").bus = Arc::new(bus);
    (node, weakness)
}

fn app() -> App {
    let text = "spin_manifest_version = 2\n[application]\nname = \"shop\"\n[[trigger.http]]\nroute = \"/\"\n\
                component = \"web\"\n[component.web]\nsource = \"web.wasm\"\n";
    App::parse(text, &Reading::alone("spin.toml")).expect("a manifest")
}

#[tokio::test]
async fn a_deployment_that_is_dropped_gives_back_what_it_was_claiming() {
    let folder = tempfile::tempdir().expect("a folder");
    let (node, weakness) = on_a_weak_bus(folder.path()).await;
    weakness.no_claims.store(true, Ordering::SeqCst);
    let mut claims = weakness.claims.subscribe();
    let turn = node.turn().await;
    let app = app();
    {
        let claiming = node.claim_and_migrate(&app, &[]);
        tokio::select! {
            _ = claiming => panic!("nobody answers"),
            changed = claims.changed() => changed.expect("it is told"),
        }
    }
    tokio::task::yield_now().await;
    assert_eq!(*claims.borrow_and_update(), ["claimed shop"], "somebody else may be deploying it");
    drop(turn);
    claims.changed().await.expect("it is told");
    assert_eq!(*claims.borrow(), ["claimed shop", "released shop"]);
}

#[tokio::test]
async fn what_is_kept_is_not_given_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let (node, weakness) = on_a_weak_bus(folder.path()).await;
    let name: Name = "shop".parse().expect("a name");
    Claim::new(&node, &name).keep();
    Claim::new(&node, &name).give_back().await;
    drop(node.turn().await);
    tokio::task::yield_now().await;
    assert_eq!(*weakness.claims.borrow(), ["released shop"], "once, and nothing of what is kept");
}

#[tokio::test]
async fn what_is_purged_is_this_hosts_alone_and_nothing_of_it_stays_open() {
    let folder = tempfile::tempdir().expect("a folder");
    let (node, weakness) = on_a_weak_bus(folder.path()).await;
    let deployments = Deployments::open(&node, Host::default(), BTreeMap::new()).expect("opened");
    let app = app();
    let component = app.components.first().expect("one");
    let id = ComponentId::new(&app.name, &component.name);
    let directory = node.state_dir.component(&id).expect("made");
    let watch = Arc::default();
    // A deployment that failed leaves its database, and one that was damaged its name.
    let database = node.stores.open(component, &directory, database_options(&id, &component.hull.limits, &watch));
    node.databases.lock().insert((id, None), (database, watch));
    let current = node.state_dir.path().join("revisions/apps/shop/current");
    std::fs::create_dir_all(current.parent().expect("a folder")).expect("made");
    std::fs::write(&current, "damaged").expect("written");

    weakness.owned.store(true, Ordering::SeqCst);
    let refused = deployments.remove(app.name.clone(), Removal::Purged).await.expect_err("another's").to_string();
    assert!(refused.contains("runs on another host (host-2)") && refused.contains("nothing was changed"), "{refused}");
    assert_eq!(std::fs::read_to_string(&current).expect("there still"), "damaged");
    assert_eq!(node.databases.lock().len(), 1);
    assert_eq!(*weakness.claims.borrow(), ["claimed shop", "released shop"]);

    weakness.owned.store(false, Ordering::SeqCst);
    deployments.remove(app.name.clone(), Removal::Purged).await.expect("purged");
    assert!(!current.exists() && node.databases.lock().is_empty());
    let claims = weakness.claims.borrow().clone();
    assert_eq!(claims.get(2..), Some(["claimed shop", "claimed shop", "released shop"].map(str::to_owned).as_slice()));
}
