//! Clients on one thread: many keep-alive connections that send in a closed loop (each its next request as soon as it
//! has the answer to the last) or in an open one (at a rate, whatever becomes of the answers).

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use mio::{Events, Poll, Token};

use crate::connection::{Connection, Received, Request};
use crate::schedule::Schedule;
use crate::tally::Tally;
use crate::ticker::Ticker;

/// When the next request goes out.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Pace {
    /// As soon as a connection is free.
    Closed,
    /// So many a second; one that finds no free connection waits for it, and the wait is a part of its latency.
    Open(f64),
}

/// What to send, and for how long.
#[derive(Clone)]
pub(crate) struct Plan {
    /// Where to.
    pub(crate) address: SocketAddr,
    /// How many connections, and so how many requests at once at the most.
    pub(crate) connections: usize,
    /// When.
    pub(crate) pace: Pace,
    /// If not zero, clients send what is due and look for answers at this beat only, and leave more of the machine to the
    /// server. The wait counts.
    pub(crate) beat: Duration,
    /// One after the other, and again from the first.
    pub(crate) requests: Vec<Request>,
    /// Not counted.
    pub(crate) warm_up: Duration,
    /// Counted.
    pub(crate) measured: Duration,
    /// How long the answers to the last requests are waited for; who still has none then counts as broken. Zero stops
    /// at once, and what is under way is not counted.
    pub(crate) drain: Duration,
    /// Whether the first request that is not served ends everything with an error.
    pub(crate) is_strict: bool,
}

/// Where the clients are in their plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The warm-up is over.
    CountingBegins,
    /// The last request that counts has gone out.
    CountingEnds,
}

/// Who has no answer after so long gets none.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often broken connections are opened again and patience is looked at.
const ROUND: Duration = Duration::from_millis(10);

impl Plan {
    /// Carry it out. `on_phase` is told of each phase as it comes.
    pub(crate) fn run(&self, mut on_phase: impl FnMut(Phase) -> anyhow::Result<()>) -> anyhow::Result<Tally> {
        let mut poll = Poll::new().context("cannot make a poll")?;
        let mut clients = Clients::new(self, &poll)?;
        let (mut phases, end) = (self.phases(clients.begin), clients.counted_from + self.measured);
        let mut events = Events::with_capacity(self.connections + 1);
        loop {
            let now = hull_clock::now();
            while let Some((_, phase)) = phases.pop_front_if(|(at, _)| now >= *at) {
                on_phase(phase)?;
            }
            if now >= end && (clients.is_done() || now >= end + self.drain) {
                return Ok(clients.finish());
            }
            clients.look_around(now, &poll)?;
            clients.send_due(now, end)?;
            let wait = if self.beat.is_zero() {
                ROUND
            } else {
                std::thread::sleep((now + self.beat).saturating_duration_since(hull_clock::now()));
                Duration::ZERO
            };
            poll.poll(&mut events, Some(wait)).context("cannot poll")?;
            for event in &events {
                clients.on_event(event.token(), end, &poll)?;
            }
        }
    }

    fn phases(&self, begin: Instant) -> VecDeque<(Instant, Phase)> {
        let counted_from = begin + self.warm_up;
        [(counted_from, Phase::CountingBegins), (counted_from + self.measured, Phase::CountingEnds)].into()
    }
}

struct Clients<'a> {
    plan: &'a Plan,
    all: Vec<Client>,
    /// Those who are connected and wait for nothing; who has been idle for the longest is next.
    idle: VecDeque<usize>,
    /// Nothing in a closed loop.
    schedule: Option<(Schedule, Ticker)>,
    next_request: usize,
    next_round: Instant,
    begin: Instant,
    counted_from: Instant,
    tally: Tally,
}

#[derive(Default)]
struct Client {
    connection: Option<Connection>,
    waiting: Option<Waiting>,
}

#[derive(Clone, Copy)]
struct Waiting {
    due: Instant,
    sent: Instant,
}

impl<'a> Clients<'a> {
    fn new(plan: &'a Plan, poll: &Poll) -> anyhow::Result<Self> {
        let mut all: Vec<Client> = (0..plan.connections).map(|_| Client::default()).collect();
        for (index, client) in all.iter_mut().enumerate() {
            client.connection = Some(Connection::open(plan.address, poll.registry(), Token(index))?);
        }
        let begin = hull_clock::now();
        let schedule = match plan.pace {
            Pace::Closed => None,
            Pace::Open(per_second) => {
                let schedule = Schedule::new(begin, per_second, plan.warm_up + plan.measured);
                let ticker = Ticker::start(schedule.interval(), poll.registry(), Token(plan.connections))?;
                Some((schedule, ticker))
            }
        };
        Ok(Self {
            plan,
            idle: (0..all.len()).collect(),
            all,
            schedule,
            next_request: 0,
            next_round: begin + ROUND,
            begin,
            counted_from: begin + plan.warm_up,
            tally: Tally::new(plan.measured),
        })
    }

    /// Whether all that will be sent has been answered.
    fn is_done(&self) -> bool {
        let left = self.schedule.as_ref().map_or(0, |(schedule, _)| schedule.left());
        left == 0 && self.all.iter().all(|client| client.waiting.is_none())
    }

    /// Count what will have no answer.
    fn finish(mut self) -> Tally {
        self.tally.unsent = self.schedule.as_ref().map_or(0, |(schedule, _)| schedule.left());
        let dues = self.all.iter().filter_map(|client| client.waiting.map(|waiting| waiting.due));
        let unanswered = dues.filter(|due| *due >= self.counted_from).count();
        for _ in 0..if self.plan.drain.is_zero() { 0 } else { unanswered } {
            self.tally.broke("no answer until the end");
        }
        self.tally
    }

    /// Send what is due, as long as somebody is free to.
    fn send_due(&mut self, now: Instant, end: Instant) -> anyhow::Result<()> {
        while let Some(&index) = self.idle.front() {
            let due = match &mut self.schedule {
                Some((schedule, _)) => schedule.take_due(now),
                None => (now < end).then_some(now),
            };
            let Some(due) = due else { return Ok(()) };
            self.idle.pop_front();
            self.tally.sent += u64::from(due >= self.counted_from);
            let request = self.plan.requests.get(self.next_request % self.plan.requests.len().max(1));
            let request = request.context("there is nothing to send")?;
            self.next_request += 1;
            let Some(client) = self.all.get_mut(index) else { continue };
            client.waiting = Some(Waiting { due, sent: now });
            if let Some(Err(error)) = client.connection.as_mut().map(|connection| connection.send(request)) {
                self.lose(index, &error)?;
            }
        }
        Ok(())
    }

    fn on_event(&mut self, token: Token, end: Instant, poll: &Poll) -> anyhow::Result<()> {
        let Some(client) = self.all.get_mut(token.0) else {
            if let Some((_, ticker)) = &self.schedule {
                ticker.taken();
            }
            return Ok(());
        };
        let Some(connection) = &mut client.connection else { return Ok(()) };
        match connection.push().and_then(|()| connection.receive()) {
            Ok(Received::Nothing) => Ok(()),
            Ok(Received::Answer { status, closes }) => {
                self.on_answer(token.0, status, end)?;
                if closes { self.open(token.0, poll) } else { Ok(()) }
            }
            Ok(Received::Closed) if client.waiting.is_none() => self.open(token.0, poll),
            Ok(Received::Closed) => self.lose(token.0, &anyhow::anyhow!("the server closed a connection")),
            Err(error) => self.lose(token.0, &error),
        }
    }

    fn on_answer(&mut self, index: usize, status: u16, end: Instant) -> anyhow::Result<()> {
        let waiting = self.all.get_mut(index).and_then(|client| client.waiting.take());
        let waiting = waiting.context("an answer without a request")?;
        let answered = hull_clock::now();
        self.idle.push_back(index);
        if self.plan.is_strict && status != 200 {
            bail!("an answer with status {status}");
        }
        let in_time = answered < end || !self.plan.drain.is_zero();
        if waiting.due >= self.counted_from && in_time {
            self.tally.answered(status, answered.saturating_duration_since(waiting.due));
        }
        Ok(())
    }

    /// A connection is gone, and with it what it waited for.
    fn lose(&mut self, index: usize, why: &anyhow::Error) -> anyhow::Result<()> {
        if self.plan.is_strict {
            bail!("{why:#}");
        }
        self.idle.retain(|idle| *idle != index);
        let client = self.all.get_mut(index).map(std::mem::take).unwrap_or_default();
        if client.waiting.is_some_and(|waiting| waiting.due >= self.counted_from) {
            self.tally.broke(&format!("{why:#}"));
        }
        Ok(())
    }

    /// Once in a round: give up on what takes too long, and connect anew who has lost a connection.
    fn look_around(&mut self, now: Instant, poll: &Poll) -> anyhow::Result<()> {
        if now < self.next_round {
            return Ok(());
        }
        self.next_round = now + ROUND;
        for index in 0..self.all.len() {
            let Some(client) = self.all.get(index) else { continue };
            let sent = client.waiting.map(|waiting| waiting.sent);
            if sent.is_some_and(|sent| now.saturating_duration_since(sent) > PATIENCE) {
                self.lose(index, &anyhow::anyhow!("no answer from {} for {PATIENCE:?}", self.plan.address))?;
            } else if client.connection.is_none() {
                // First, because opening may fail, and who has lost its connection is not idle.
                self.idle.push_back(index);
                self.open(index, poll)?;
            }
        }
        Ok(())
    }

    fn open(&mut self, index: usize, poll: &Poll) -> anyhow::Result<()> {
        match (Connection::open(self.plan.address, poll.registry(), Token(index)), self.all.get_mut(index)) {
            (Ok(connection), Some(client)) => client.connection = Some(connection),
            (Err(error), _) => self.lose(index, &error)?,
            (Ok(_), None) => {}
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "clients_tests.rs"]
mod tests;
