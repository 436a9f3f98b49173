//! Instances: fresh for each request, or used again, and never after a failure.

use hull_tests::http::Client;
use hull_tests::probe;
use hull_tests::shared::Running;
use serde_json::{Value, json};

use crate::work;

fn count(client: &Client, component: &str) -> anyhow::Result<Value> {
    probe::one(client, &format!("/{component}/run"), &json!({"do": "count"}))
}

/// The same, once the guest has come to its end.
fn count_to_its_end(work: &Running, component: &str) -> anyhow::Result<Value> {
    let told = count(&work.client(), component)?;
    to_its_end(work, component)?;
    Ok(told)
}

/// Wait until the guest has come to its end: the answer may be there before, and the instance is not yet free.
fn to_its_end(work: &Running, component: &str) -> anyhow::Result<()> {
    hull_tests::wait::until("the guest's end", || Ok((work.host().inside(component)? == 0).then_some(())))
}

#[test]
fn a_fresh_instance_remembers_nothing() -> anyhow::Result<()> {
    let work = work()?;
    let client = work.client();
    for _ in 0..5 {
        assert_eq!(count(&client, "plain")?, 1);
    }
    Ok(())
}

#[test]
fn a_serial_instance_serves_again_until_it_fails() -> anyhow::Result<()> {
    let work = work()?;
    let client = work.client();
    // Only this test asks this component, one request at a time: there is one instance.
    for expected in 1..=5 {
        assert_eq!(count_to_its_end(&work, "serial")?, expected);
    }
    client.post("/serial/run", &json!([{"do": "trap"}]))?.expect(500)?;
    for expected in 1..=3 {
        assert_eq!(count_to_its_end(&work, "serial")?, expected, "the instance that trapped is gone");
    }
    client.post("/serial/run", &json!([{"do": "loop"}]))?.expect(500)?;
    assert_eq!(count_to_its_end(&work, "serial")?, 1, "the instance that used up its time is gone");
    client.post("/serial/run", &json!([{"do": "hog", "mib": 100}]))?.expect(500)?;
    assert_eq!(count_to_its_end(&work, "serial")?, 1, "the instance that wanted too much memory is gone");
    Ok(())
}

#[test]
fn an_instance_serves_so_many_and_no_more() -> anyhow::Result<()> {
    let work = work()?;
    let counts = (0..7).map(|_| count_to_its_end(&work, "few")).collect::<anyhow::Result<Vec<Value>>>()?;
    assert_eq!(counts, [1, 2, 3, 1, 2, 3, 1].map(Value::from));
    Ok(())
}

#[test]
fn an_asynchronous_instance_serves_one_after_the_other() -> anyhow::Result<()> {
    let work = work()?;
    for expected in 1..=2 {
        work.client().get("/async-serial/inside")?.expect_json(200, &json!({"served": expected}))?;
        to_its_end(&work, "async-serial")?;
    }
    Ok(())
}

#[test]
fn an_asynchronous_instance_serves_many_at_once() -> anyhow::Result<()> {
    let work = work()?;
    let client = work.client();
    // There are as many instances as processors: each has more than one request.
    let requests = 2 * std::thread::available_parallelism()?.get() + 2;
    let inside = |component: &'static str, requests: usize| -> anyhow::Result<Vec<Value>> {
        std::thread::scope(|scope| {
            let path = format!("/{component}/inside?ms=1500");
            let threads: Vec<_> = (0..requests)
                .map(|_| {
                    scope.spawn({
                        let path = path.clone();
                        move || client.get(&path)?.expect(200)?.json()
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
        })
    };
    let most = |told: &[Value]| told.iter().filter_map(|told| told["inside"].as_i64()).max();
    let shared = inside("async", requests)?;
    assert!(most(&shared) > Some(1), "{shared:?}");
    let fresh = inside("async-fresh", 6)?;
    assert_eq!(most(&fresh), Some(1), "{fresh:?}");
    assert!(fresh.iter().all(|told| told["served"] == 1), "{fresh:?}");
    Ok(())
}
