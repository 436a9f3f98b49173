//! Where one checkout is, and what comes next. Pure: it reads no clock and sends nothing, it says what to send. What it
//! says is stored in the same unit of work in which it is sent, so a crash finds both or neither.
//!
//! One command is awaited at a time. Whatever else comes (an answer that was given twice, one that comes after its step
//! was given up, a timer of an earlier attempt) is about the past and changes nothing.

use serde::{Deserialize, Serialize};

use crate::plan::{Kind, STEPS, Step};

/// How often a step before the pivot is tried before it is given up.
const ATTEMPTS_MAX: u32 = 5;
/// How long the first attempt may take; each one after it may take twice as long.
const PATIENCE_MS: u64 = 500;
const PATIENCE_MS_MAX: u64 = 30_000;

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Saga {
    pub(crate) state: State,
    /// How often the awaited command was sent.
    attempt: u32,
    /// Why it is being undone.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// What has happened, for people.
    history: Vec<String>,
}

/// Forward, or back, or at an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum State {
    /// This step is under way.
    Doing(usize),
    /// This step is being undone, and those before it will be.
    Undoing(usize),
    /// Everything is done.
    Completed,
    /// Everything that was done is undone.
    Cancelled,
}

/// What a service said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Answer {
    /// It is done.
    Done,
    /// It was not done, and will not be.
    Refused(String),
    /// Not now.
    Busy,
}

/// A command to send, and when to ask what became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Send {
    pub(crate) command: &'static str,
    pub(crate) attempt: u32,
    pub(crate) patience_ms: u64,
}

impl Saga {
    /// A new one, and its first command.
    pub(crate) fn begin() -> (Self, Option<Send>) {
        let mut saga = Self { state: State::Cancelled, attempt: 0, reason: None, history: Vec::new() };
        let first = saga.enter(State::Doing(0));
        (saga, first)
    }

    /// A service has answered a command.
    pub(crate) fn on_answer(&mut self, command: &str, answer: Answer) -> Option<Send> {
        if self.awaited() != Some(command) {
            return None;
        }
        match (self.state, answer) {
            (State::Doing(step), Answer::Done) => {
                self.history.push(format!("{command}: done"));
                let next = step + 1;
                self.enter(if next < STEPS.len() { State::Doing(next) } else { State::Completed })
            }
            (State::Doing(step), Answer::Refused(why)) if may_fail(step) => {
                self.history.push(format!("{command}: refused, {why}"));
                self.reason = Some(why);
                // It was not done, so what is undone are the steps before it.
                self.undo_before(step)
            }
            (State::Undoing(step), Answer::Done) => {
                self.history.push(format!("{command}: done"));
                self.undo_before(step)
            }
            // Not now, or a refusal that the plan does not know: its timer will have it tried again.
            _ => None,
        }
    }

    /// The time of an attempt is over, and nobody has said that it was done.
    pub(crate) fn on_timer(&mut self, command: &str, attempt: u32) -> Option<Send> {
        if self.awaited() != Some(command) || self.attempt != attempt {
            return None;
        }
        match self.state {
            State::Doing(step) if attempt >= ATTEMPTS_MAX && undo_of(step).is_some() => {
                self.history.push(format!("{command}: given up after {attempt} attempts"));
                self.reason = Some(format!("{command} was not answered"));
                // It may have been done all the same: it is undone as well.
                self.undo_before(step + 1)
            }
            // Nobody knows whether the pivot was done before somebody says so. Behind it, and on the way back, there
            // is only one way to go.
            _ => {
                self.attempt += 1;
                self.send()
            }
        }
    }

    /// Back to the last step before this one that can be undone.
    fn undo_before(&mut self, step: usize) -> Option<Send> {
        let last = (0..step).rev().find(|step| undo_of(*step).is_some());
        self.enter(last.map_or(State::Cancelled, State::Undoing))
    }

    fn enter(&mut self, state: State) -> Option<Send> {
        self.state = state;
        self.attempt = 1;
        self.send()
    }

    fn send(&self) -> Option<Send> {
        let doublings = self.attempt.saturating_sub(1).min(16);
        let patience_ms = (PATIENCE_MS << doublings).min(PATIENCE_MS_MAX);
        self.awaited().map(|command| Send { command, attempt: self.attempt, patience_ms })
    }

    /// The command whose answer makes a difference.
    fn awaited(&self) -> Option<&'static str> {
        match self.state {
            State::Doing(step) => STEPS.get(step).map(|step| step.command),
            State::Undoing(step) => undo_of(step),
            State::Completed | State::Cancelled => None,
        }
    }
}

fn undo_of(step: usize) -> Option<&'static str> {
    match STEPS.get(step) {
        Some(Step { kind: Kind::Compensatable { undo }, .. }) => Some(undo),
        _ => None,
    }
}

fn may_fail(step: usize) -> bool {
    STEPS.get(step).is_some_and(|step| step.kind != Kind::Retriable)
}

#[cfg(test)]
#[path = "saga_tests.rs"]
mod tests;
