//! The ways of a saga, without a clock and without anybody to talk to.

use super::{ATTEMPTS_MAX, Answer, PATIENCE_MS, PATIENCE_MS_MAX, Saga, Send, State};

/// Answer every command like this until the end; what was sent.
fn carried_out(mut answer: impl FnMut(&str, u32) -> Answer) -> (Saga, Vec<&'static str>) {
    let (mut saga, mut next) = Saga::begin();
    let mut sent = Vec::new();
    while let Some(Send { command, attempt, .. }) = next {
        assert!(sent.len() < 100, "it never ends: {sent:?}");
        sent.push(command);
        next = match answer(command, attempt) {
            Answer::Busy => {
                assert_eq!(saga.on_answer(command, Answer::Busy), None);
                saga.on_timer(command, attempt)
            }
            said => saga.on_answer(command, said),
        };
    }
    (saga, sent)
}

fn refused_by(refusing: &str) -> (Saga, Vec<&'static str>) {
    carried_out(|command, _| if command == refusing { Answer::Refused("no".to_owned()) } else { Answer::Done })
}

#[test]
fn everything_done_is_completed() {
    let (saga, sent) = carried_out(|_, _| Answer::Done);
    assert_eq!(saga.state, State::Completed);
    assert_eq!(sent, ["stock.reserve", "courier.book", "payments.charge", "stock.pick", "courier.dispatch"]);
}

#[test]
fn a_refusal_undoes_what_was_done_in_reverse_order() {
    let (saga, sent) = refused_by("payments.charge");
    assert_eq!((saga.state, saga.reason.as_deref()), (State::Cancelled, Some("no")));
    assert_eq!(sent, ["stock.reserve", "courier.book", "payments.charge", "courier.cancel", "stock.release"]);
    assert_eq!(refused_by("courier.book").1, ["stock.reserve", "courier.book", "stock.release"]);
    assert_eq!(refused_by("stock.reserve").1, ["stock.reserve"]);
}

#[test]
fn who_does_not_answer_is_given_up_and_undone_as_well() {
    let (saga, sent) = carried_out(|command, _| if command == "courier.book" { Answer::Busy } else { Answer::Done });
    assert_eq!(saga.state, State::Cancelled);
    let mut expected = vec!["stock.reserve"];
    expected.extend(["courier.book"; ATTEMPTS_MAX as usize]);
    expected.extend(["courier.cancel", "stock.release"]);
    assert_eq!(sent, expected);
}

#[test]
fn the_pivot_and_what_follows_are_tried_until_there_is_an_answer() {
    for slow in ["payments.charge", "stock.pick", "courier.dispatch"] {
        let (saga, sent) =
            carried_out(
                |command, attempt| {
                    if command == slow && attempt <= 3 * ATTEMPTS_MAX { Answer::Busy } else { Answer::Done }
                },
            );
        assert_eq!(saga.state, State::Completed);
        assert_eq!(sent.iter().filter(|command| **command == slow).count(), 3 * ATTEMPTS_MAX as usize + 1);
    }
    let (saga, _) = carried_out(|command, attempt| match command {
        "payments.charge" => Answer::Refused("no".to_owned()),
        "stock.release" if attempt <= 3 * ATTEMPTS_MAX => Answer::Busy,
        _ => Answer::Done,
    });
    assert_eq!(saga.state, State::Cancelled);
}

#[test]
fn what_is_about_the_past_changes_nothing() {
    let (mut saga, _) = Saga::begin();
    let resent = saga.on_timer("stock.reserve", 1).expect("sent again");
    assert_eq!((resent.command, resent.attempt), ("stock.reserve", 2));
    let before = saga.clone();
    assert_eq!(saga.on_timer("stock.reserve", 1), None, "the timer of an earlier attempt");
    assert_eq!(saga.on_answer("payments.charge", Answer::Done), None, "nobody asked for it");
    assert_eq!(saga, before);
    saga.on_answer("stock.reserve", Answer::Done).expect("the next one");
    let before = saga.clone();
    assert_eq!(saga.on_answer("stock.reserve", Answer::Done), None, "the answer to the second attempt");
    assert_eq!(saga.on_answer("stock.reserve", Answer::Refused("late".to_owned())), None);
    assert_eq!(saga, before);
}

#[test]
fn patience_grows_and_has_an_end() {
    let (mut saga, first) = Saga::begin();
    assert_eq!(first.map(|send| send.patience_ms), Some(PATIENCE_MS));
    saga.state = State::Doing(2);
    let mut last = PATIENCE_MS;
    for attempt in 1..60 {
        let next = saga.on_timer("payments.charge", attempt).expect("sent again").patience_ms;
        assert_eq!(next, (last * 2).min(PATIENCE_MS_MAX));
        last = next;
    }
    assert_eq!(last, PATIENCE_MS_MAX);
}
