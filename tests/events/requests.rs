//! Questions over the bus: the first handler that answers is heard, and nobody waits for ever.

use hull_tests::mail::{see, seen};
use hull_tests::probe;
use serde_json::{Value, json};

use crate::mail;

fn ask(subject: &str, payload: &Value, timeout_ms: u32) -> Value {
    json!({"do": "request", "subject": subject, "payload": payload, "timeout_ms": timeout_ms})
}

#[test]
fn a_question_is_answered() -> anyhow::Result<()> {
    let mail = mail()?;
    let client = mail.client();
    let payload = json!({"script": [see(), {"do": "reply", "payload": {"sum": 42, "asked": "@expects-reply"}}]});
    let answer = probe::one(&client, "/sender/run", &ask("ask.sum", &payload, 5_000))?;
    let answer: Value = serde_json::from_str(answer.as_str().unwrap_or_default())?;
    assert_eq!(answer, json!({"sum": 42, "asked": "true"}));
    assert_eq!(seen(&client, "oracle", "ask.sum")?.len(), 1, "it was sent once the unit was committed");
    Ok(())
}

#[test]
fn questions_that_nobody_answers_are_errors() -> anyhow::Result<()> {
    let mail = mail()?;
    let client = mail.client();
    let failed = |step: &Value| Ok::<_, anyhow::Error>(probe::one(&client, "/sender/run", step)?["error"].clone());
    assert_eq!(failed(&ask("chain.unheard", &json!({}), 1_000))?, "no-responder");
    let silent = json!({"script": [{"do": "sleep", "ms": 3_000}]});
    assert_eq!(failed(&ask("ask.silent", &silent, 200))?, "timeout");
    assert_eq!(failed(&ask("other.subject", &json!({}), 1_000))?, "denied");
    Ok(())
}

#[test]
fn many_questions_at_once_get_their_own_answers() -> anyhow::Result<()> {
    let mail = mail()?;
    let client = mail.client();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..12)
            .map(|n: u32| {
                scope.spawn(move || -> anyhow::Result<()> {
                    let payload = json!({"script": [{"do": "reply", "payload": n}]});
                    let answer = probe::one(&client, "/sender/run", &ask("ask.number", &payload, 10_000))?;
                    anyhow::ensure!(answer == json!(n.to_string()), "{answer} is not the answer to {n}");
                    Ok(())
                })
            })
            .collect();
        threads.into_iter().try_for_each(|thread| thread.join().expect("no panic"))
    })
}
