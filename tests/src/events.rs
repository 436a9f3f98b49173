//! Events and dead letters, as the admin API shows them.

use anyhow::Context as _;
use serde_json::Value;

use crate::host::Host;
use crate::wait;

/// Publish an event from outside; the answer is `{id, sequence, duplicate}`.
pub fn publish(host: &Host, app: &str, subject: &str, payload: &Value) -> anyhow::Result<Value> {
    let request = host.asked("POST", &format!("/v1/apps/{app}/events/{subject}"))?.json(payload);
    request.send()?.expect(202)?.json()
}

/// Publish an event with an id of our own.
pub fn publish_as(host: &Host, app: &str, subject: &str, id: &str, payload: &Value) -> anyhow::Result<Value> {
    let request = host.asked("POST", &format!("/v1/apps/{app}/events/{subject}"))?;
    request.header("ce-id", id).json(payload).send()?.expect(202)?.json()
}

/// Wait until everyone has handled what was published under that subject.
pub fn until_heard(host: &Host, subject: &str) -> anyhow::Result<()> {
    wait::until(&format!("{subject} to be handled"), || {
        let told = host.asked("GET", "/v1/components")?.send()?.expect(200)?.json()?;
        let components = told["components"].as_array().into_iter().flatten();
        let mut consumers = components
            .flat_map(|component| component["subscriptions"].as_array().into_iter().flatten())
            .filter(|consumer| consumer["pattern"] == subject)
            .peekable();
        anyhow::ensure!(consumers.peek().is_some(), "nobody listens to {subject}: {told}");
        Ok(consumers.all(|one| one["backlog"] == 0 && one["in_flight"] == 0).then_some(()))
    })
}

/// The dead letters of a component.
pub fn dead_letters(host: &Host, app: &str, component: &str) -> anyhow::Result<Vec<Value>> {
    let target = format!("/v1/apps/{app}/dead-letters?component={component}");
    let answer = host.asked("GET", &target)?.send()?.expect(200)?.json()?;
    let letters = answer.get("dead_letters").and_then(Value::as_array);
    letters.cloned().with_context(|| format!("no list: {answer}"))
}

/// Where one dead letter is.
pub fn letter_path(app: &str, component: &str, letter: &Value) -> anyhow::Result<String> {
    let id = letter.get("id").and_then(Value::as_i64).with_context(|| format!("no id: {letter}"))?;
    Ok(format!("/v1/apps/{app}/components/{component}/dead-letters/{id}"))
}
