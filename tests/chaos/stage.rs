//! The processes, and what is done to them. Every fault ends with everything running again: a host that does not come
//! back is the first thing to find.

mod seat;
mod servers;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use hull_tests::app::App;
use hull_tests::cache;
use hull_tests::clock::Clock;
use hull_tests::host::Host;
use hull_tests::http::Client;
use hull_tests::postgres::PostgresServer;
use hull_tests::shop::provider_line::{Line, ProviderLine};
use rustix::process::Signal;

use crate::backends::{DATABASE, Pair, Servers};
use crate::disk::Disk;
use crate::fault::{Fault, Means};
use crate::market::{self, SHOP};
use crate::plan::Plan;
use crate::random::Random;
use crate::street::Street;
use crate::torn;

use self::seat::Seat;

/// What runs may finish in when the host is told to stop: too little for some.
const DRAIN: &str = "400ms";
/// How long a host may take to end that was told to.
const END_TIME: Duration = Duration::from_secs(20);
/// How far the clock is from the right time at most.
const OFF_SECONDS_MAX: u64 = 40;

/// See the module. Processes end before their files go.
pub(crate) struct Stage<'a> {
    seats: Vec<Seat>,
    /// The one that is struck.
    at: usize,
    provider: Option<Host>,
    servers: Servers,
    disk: Disk,
    clock: Option<Clock>,
    line: ProviderLine,
    street: &'a Street,
    random: Random,
    long: bool,
    pair: Pair,
    pub(crate) struck: BTreeMap<Fault, u64>,
    /// Processes killed.
    pub(crate) kills: u64,
    pub(crate) provider_app: App,
}

impl<'a> Stage<'a> {
    /// Everything is there, and nothing runs.
    pub(crate) fn set(plan: &Plan, street: &'a Street) -> anyhow::Result<Self> {
        let line = ProviderLine::new()?;
        let first = market::shop(plan, &line)?;
        let servers = Servers::start(plan.pair, first.folder())?;
        let small = if plan.small_disk { told("a disk of its own", Disk::mount(&first.state_dir())) } else { None };
        if small.is_some() {
            cache::lend(&first.state_dir())?;
        }
        let clock = if plan.long { told("the clock never steps", Clock::in_folder(first.folder())) } else { None };
        let mut seats = vec![Seat::new(equipped(first, plan, clock.as_ref(), &servers))];
        for _ in 1..plan.pair.hosts() {
            // Their clocks are right: hosts that share an app need not agree on the time.
            seats.push(Seat::new(equipped(market::shop(plan, &line)?, plan, None, &servers)));
        }
        Ok(Self {
            seats,
            at: 0,
            provider: None,
            servers,
            disk: small.unwrap_or(Disk::Bound),
            clock,
            line,
            street,
            random: Random::new(plan.seed, 1),
            long: plan.long,
            pair: plan.pair,
            struck: BTreeMap::new(),
            kills: 0,
            provider_app: market::provider()?,
        })
    }

    /// What it can do besides what is always possible.
    pub(crate) fn means(&self) -> Means {
        Means { clock: self.clock.is_some() }
    }

    /// Start what does not run, with every line open.
    pub(crate) fn start(&mut self) -> anyhow::Result<()> {
        if self.provider.is_none() {
            self.start_provider()?;
        }
        self.line.set(Line::Open);
        self.at_each(|stage| if stage.seat()?.host.is_none() { stage.start_host() } else { Ok(()) })
    }

    /// No fault any more: what is running stays, and the clock is right.
    pub(crate) fn calm(&mut self) -> anyhow::Result<()> {
        self.disk.free(self.seat()?.host.as_ref())?;
        if let Some(clock) = &self.clock {
            clock.right()?;
        }
        self.start()
    }

    /// A host, which runs.
    pub(crate) fn host(&self) -> anyhow::Result<&Host> {
        self.seat()?.host.as_ref().context("no host runs")
    }

    /// The shop as one of its hosts has it.
    pub(crate) fn shop(&self) -> anyhow::Result<&App> {
        Ok(&self.seat()?.app)
    }

    /// Where the data of all its components is, if it is on a server.
    pub(crate) fn postgres(&self) -> Option<&PostgresServer> {
        self.servers.postgres()
    }

    /// The provider, as it is to be asked past the line.
    pub(crate) fn provider(&self) -> anyhow::Result<Client> {
        Ok(self.provider.as_ref().context("no provider runs")?.client())
    }

    /// Faults, one after the other, for that long.
    pub(crate) fn strike_for(&mut self, time: Duration, faults: &[(Fault, u64)]) -> anyhow::Result<()> {
        let end = hull_clock::now() + time;
        while hull_clock::now() < end {
            self.pause(100, if self.long { 1_400 } else { 900 });
            if self.long && self.random.percent(2) {
                // Long enough for the host to clear up.
                self.pause(11_000, 12_000);
            }
            let Some(fault) = self.random.weighted(faults) else { return Ok(()) };
            *self.struck.entry(fault).or_default() += 1;
            if self.seats.len() > 1 {
                self.at = self.random.below(self.seats.len() as u64) as usize;
            }
            self.strike(fault).with_context(|| format!("after: {}", fault.name()))?;
        }
        Ok(())
    }

    fn strike(&mut self, fault: Fault) -> anyhow::Result<()> {
        match fault {
            Fault::KillHost => self.kill_host()?,
            Fault::KillAllHosts => self.at_each(Self::kill_host)?,
            Fault::KillStartingHost => {
                self.kill_host()?;
                for _ in 0..self.random.between(1, 2) {
                    self.cut_short(5, 500)?;
                }
            }
            Fault::KillHostAndTear => {
                self.kill_host()?;
                let (folder, has_bus) = (self.shop()?.state_dir(), self.pair.has_bus_files());
                let torn = torn::tear(&folder, SHOP, has_bus, &mut self.random)?;
                self.seat()?.note(&format!("torn: {torn}"))?;
            }
            Fault::PauseHost => {
                self.host()?.signal(Signal::STOP)?;
                self.pause(200, if self.long { 4_000 } else { 1_200 });
                self.host()?.signal(Signal::CONT)?;
            }
            Fault::StopHost if self.random.percent(30) => {
                self.host()?.terminate()?;
                self.pause(0, 400);
                self.kill_host()?;
            }
            Fault::StopHost => self.stop_host()?,
            Fault::KillProvider => {
                self.provider.take().context("no provider runs")?.kill()?;
                self.kills += 1;
                self.meanwhile()?;
                self.start_provider()?;
            }
            Fault::PauseProvider => {
                self.provider.as_ref().context("no provider runs")?.signal(Signal::STOP)?;
                self.pause(500, if self.long { 9_000 } else { 1_500 });
                self.provider.as_ref().context("no provider runs")?.signal(Signal::CONT)?;
            }
            Fault::SecondHost => {
                let second = self.shop()?.up_ends()?;
                anyhow::ensure!(second.status == Some(1), "a second host: {:?} {}", second.status, second.said());
            }
            Fault::OtherHost => {
                let other = self.shop()?.up_elsewhere_ends()?;
                let is_refused = other.status == Some(1) && other.said().contains("runs on another host");
                anyhow::ensure!(is_refused, "a host elsewhere: {:?} {}", other.status, other.said());
            }
            Fault::CutLine | Fault::MuteLine => {
                self.line.set(if fault == Fault::CutLine { Line::Out } else { Line::Mute });
                self.meanwhile()?;
                self.line.set(Line::Open);
            }
            Fault::Server(role, blow) => self.strike_server(role, blow)?,
            Fault::FillDisk => self.fill_disk()?,
            Fault::StepClock => self.step_clock()?,
        }
        self.start()
    }

    fn step_clock(&mut self) -> anyhow::Result<()> {
        let sign = if self.random.percent(50) { 1 } else { -1 };
        let seconds = sign * self.random.below(OFF_SECONDS_MAX).cast_signed();
        self.clock.as_ref().context("no clock to step")?.step(seconds)
    }

    /// While something else is broken: wait, or have the host die as well.
    fn meanwhile(&mut self) -> anyhow::Result<()> {
        self.pause(100, 1_000);
        if self.random.percent(50) {
            self.kill_host()?;
            self.start_host()?;
            self.pause(0, 500);
        }
        Ok(())
    }

    fn fill_disk(&mut self) -> anyhow::Result<()> {
        let host = self.seats.get(self.at).and_then(|seat| seat.host.as_ref()).context("no host runs")?;
        self.disk.fill(host, &mut self.random)?;
        self.pause(300, if self.long { 3_000 } else { 800 });
        if self.random.percent(50) {
            // It may start on a full disk or refuse to; what it must not do is to forget.
            self.kill_host()?;
            self.cut_short(100, 800)?;
        }
        self.disk.free(self.seat()?.host.as_ref())
    }

    fn seat(&self) -> anyhow::Result<&Seat> {
        self.seats.get(self.at).context("no such host")
    }

    fn seat_mut(&mut self) -> anyhow::Result<&mut Seat> {
        self.seats.get_mut(self.at).context("no such host")
    }

    /// The same at each of the hosts.
    fn at_each(&mut self, mut act: impl FnMut(&mut Self) -> anyhow::Result<()>) -> anyhow::Result<()> {
        for at in 0..self.seats.len() {
            self.at = at;
            act(self)?;
        }
        Ok(())
    }

    fn start_host(&mut self) -> anyhow::Result<()> {
        let (street, at) = (self.street, self.at);
        street.set_door(at, Some(self.seat_mut()?.start()?));
        Ok(())
    }

    /// A host that is killed while it starts.
    fn cut_short(&mut self, low_ms: u64, high_ms: u64) -> anyhow::Result<()> {
        let after = Duration::from_millis(self.random.between(low_ms, high_ms));
        self.shop()?.up_cut_short(after)?;
        self.kills += 1;
        Ok(())
    }

    fn start_provider(&mut self) -> anyhow::Result<()> {
        let provider = self.provider_app.up().context("the provider does not come back")?;
        self.line.leads_to(provider.client().address());
        self.provider = Some(provider);
        Ok(())
    }

    fn kill_host(&mut self) -> anyhow::Result<()> {
        let (street, at) = (self.street, self.at);
        if self.seat_mut()?.kill()? {
            self.kills += 1;
            street.set_door(at, None);
        }
        Ok(())
    }

    fn stop_host(&mut self) -> anyhow::Result<()> {
        let (street, at) = (self.street, self.at);
        self.seat_mut()?.stop(END_TIME)?;
        street.set_door(at, None);
        Ok(())
    }

    /// Tell the hosts to stop, and check that they do so well.
    pub(crate) fn stop_hosts(&mut self) -> anyhow::Result<()> {
        self.at_each(Self::stop_host)
    }

    /// The same of the provider.
    pub(crate) fn stop_provider(&mut self) -> anyhow::Result<()> {
        self.provider.take().map_or(Ok(()), |provider| provider.stop().map(drop))
    }

    /// Leave all files where they are; where.
    pub(crate) fn keep(self) -> Vec<PathBuf> {
        let Self { seats, provider, disk, provider_app, servers, .. } = self;
        drop(provider);
        // Mounted until somebody has looked.
        std::mem::forget(disk);
        let mut folders: Vec<PathBuf> = seats.into_iter().map(|seat| seat.app.keep()).collect();
        if let Some((server, folder)) = servers.postgres().zip(folders.first()) {
            server.dump(DATABASE, &folder.join("hull.sql"));
        }
        folders.push(provider_app.keep());
        folders
    }

    fn pause(&mut self, low_ms: u64, high_ms: u64) {
        std::thread::sleep(Duration::from_millis(self.random.between(low_ms, high_ms)));
    }
}

/// The shop with all that a run gives its hosts.
fn equipped(shop: App, plan: &Plan, clock: Option<&Clock>, servers: &Servers) -> App {
    let mut shop = shop.deaf_to("XFSZ").flags(["--drain", DRAIN]).flags(servers.flags());
    for (name, value) in clock.into_iter().flat_map(Clock::environment) {
        shop = shop.variable(name, &value);
    }
    match plan.broken {
        Some(promise) => shop.flags(["--sabotage", promise.name()]),
        None => shop,
    }
}

fn told<T>(what: &str, made: anyhow::Result<T>) -> Option<T> {
    made.inspect_err(|error| println!("left out: {what} ({error:#})")).ok()
}
