//! The processes, and what is done to them. Every fault ends with everything running again: a host that does not come
//! back is the first thing to find.

mod bus;

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use hull_tests::app::App;
use hull_tests::cache;
use hull_tests::clock::Clock;
use hull_tests::host::Host;
use hull_tests::http::Client;
use hull_tests::shop::provider_line::{Line, ProviderLine};
use rustix::process::Signal;

use crate::backends::Servers;
use crate::disk::Disk;
use crate::fault::{Fault, Means};
use crate::market::{self, SHOP};
use crate::plan::Plan;
use crate::random::Random;
use crate::street::Street;
use crate::torn;

/// What runs may finish in when the host is told to stop: too little for some.
const DRAIN: &str = "400ms";
/// How long a host may take to end that was told to.
const END_TIME: Duration = Duration::from_secs(20);
/// How far the clock is from the right time at most.
const OFF_SECONDS_MAX: u64 = 40;

/// See the module. Processes end before their files go.
pub(crate) struct Stage<'a> {
    host: Option<Host>,
    provider: Option<Host>,
    servers: Servers,
    disk: Disk,
    clock: Option<Clock>,
    line: ProviderLine,
    street: &'a Street,
    random: Random,
    long: bool,
    has_bus_files: bool,
    pub(crate) struck: BTreeMap<Fault, u64>,
    /// Processes killed.
    pub(crate) kills: u64,
    pub(crate) shop: App,
    pub(crate) provider_app: App,
}

impl<'a> Stage<'a> {
    /// Everything is there, and nothing runs.
    pub(crate) fn set(plan: &Plan, street: &'a Street) -> anyhow::Result<Self> {
        let line = ProviderLine::new()?;
        let mut shop = market::shop(plan, &line)?;
        let servers = Servers::start(plan.pair, shop.folder())?;
        let small = if plan.small_disk { told("a disk of its own", Disk::mount(&shop.state_dir())) } else { None };
        if small.is_some() {
            cache::lend(&shop.state_dir())?;
        }
        shop = shop.deaf_to("XFSZ");
        let clock = if plan.long { told("the clock never steps", Clock::in_folder(shop.folder())) } else { None };
        for (name, value) in clock.iter().flat_map(Clock::environment) {
            shop = shop.variable(name, &value);
        }
        shop = shop.flags(["--drain", DRAIN]).flags(servers.flags());
        if let Some(promise) = plan.broken {
            shop = shop.flags(["--sabotage", promise.name()]);
        }
        Ok(Self {
            host: None,
            provider: None,
            servers,
            disk: small.unwrap_or(Disk::Bound),
            clock,
            line,
            street,
            random: Random::new(plan.seed, 1),
            long: plan.long,
            has_bus_files: plan.pair.has_bus_files(),
            struck: BTreeMap::new(),
            kills: 0,
            shop,
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
        if self.host.is_none() {
            self.start_host()?;
        }
        Ok(())
    }

    /// No fault any more: what is running stays, and the clock is right.
    pub(crate) fn calm(&mut self) -> anyhow::Result<()> {
        self.disk.free(self.host.as_ref())?;
        if let Some(clock) = &self.clock {
            clock.right()?;
        }
        self.start()
    }

    /// The host, which runs.
    pub(crate) fn host(&self) -> anyhow::Result<&Host> {
        self.host.as_ref().context("no host runs")
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
            self.strike(fault).with_context(|| format!("after: {}", fault.name()))?;
        }
        Ok(())
    }

    fn strike(&mut self, fault: Fault) -> anyhow::Result<()> {
        match fault {
            Fault::KillHost => self.kill_host()?,
            Fault::KillStartingHost => {
                self.kill_host()?;
                for _ in 0..self.random.between(1, 2) {
                    self.shop.up_cut_short(Duration::from_millis(self.random.between(5, 500)))?;
                    self.kills += 1;
                }
            }
            Fault::KillHostAndTear => {
                self.kill_host()?;
                let torn = torn::tear(&self.shop.state_dir(), SHOP, self.has_bus_files, &mut self.random)?;
                self.note(&format!("torn: {torn}"))?;
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
                let second = self.shop.up_ends()?;
                anyhow::ensure!(second.status == Some(1), "a second host: {:?} {}", second.status, second.said());
            }
            Fault::OtherHost => {
                let other = self.shop.up_elsewhere_ends()?;
                let is_refused = other.status == Some(1) && other.said().contains("runs on another host");
                anyhow::ensure!(is_refused, "a host elsewhere: {:?} {}", other.status, other.said());
            }
            Fault::CutLine | Fault::MuteLine => {
                self.line.set(if fault == Fault::CutLine { Line::Out } else { Line::Mute });
                self.meanwhile()?;
                self.line.set(Line::Open);
            }
            Fault::KillBus | Fault::PauseBus | Fault::CutBus | Fault::SilenceBus | Fault::SlowBus | Fault::BreakBus => {
                self.strike_bus(fault)?
            }
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
        let host = self.host.as_ref().context("no host runs")?;
        self.disk.fill(host, &mut self.random)?;
        self.pause(300, if self.long { 3_000 } else { 800 });
        if self.random.percent(50) {
            // It may start on a full disk or refuse to; what it must not do is to forget.
            self.kill_host()?;
            self.shop.up_cut_short(Duration::from_millis(self.random.between(100, 800)))?;
            self.kills += 1;
        }
        self.disk.free(self.host.as_ref())
    }

    fn start_host(&mut self) -> anyhow::Result<()> {
        let host = self.shop.up().context("the host does not come back")?;
        self.street.set_door(Some(host.client()));
        self.host = Some(host);
        Ok(())
    }

    fn start_provider(&mut self) -> anyhow::Result<()> {
        let provider = self.provider_app.up().context("the provider does not come back")?;
        self.line.leads_to(provider.client().address());
        self.provider = Some(provider);
        Ok(())
    }

    fn kill_host(&mut self) -> anyhow::Result<()> {
        let Some(host) = self.host.take() else { return Ok(()) };
        let said = host.said();
        host.kill()?;
        self.kills += 1;
        self.street.set_door(None);
        self.note(&format!("{said}\nkilled"))
    }

    /// Tell the host to stop, and check that it does so well.
    pub(crate) fn stop_host(&mut self) -> anyhow::Result<()> {
        let Some(mut host) = self.host.take() else { return Ok(()) };
        host.terminate()?;
        let status = host.ended(END_TIME)?;
        self.street.set_door(None);
        self.note(&format!("{}\nstopped", host.said()))?;
        anyhow::ensure!(status.success(), "a host that was told to stop ended with {status}:\n{}", host.said());
        Ok(())
    }

    /// The same of the provider.
    pub(crate) fn stop_provider(&mut self) -> anyhow::Result<()> {
        self.provider.take().map_or(Ok(()), |provider| provider.stop().map(drop))
    }

    /// Leave all files where they are; where.
    pub(crate) fn keep(self) -> (PathBuf, PathBuf) {
        let Self { host, provider, disk, shop, provider_app, .. } = self;
        drop((host, provider));
        // Mounted until somebody has looked.
        std::mem::forget(disk);
        (shop.keep(), provider_app.keep())
    }

    fn pause(&mut self, low_ms: u64, high_ms: u64) {
        std::thread::sleep(Duration::from_millis(self.random.between(low_ms, high_ms)));
    }

    fn note(&self, text: &str) -> anyhow::Result<()> {
        let path: &Path = &self.shop.folder().join("said.log");
        let mut log = OpenOptions::new().create(true).append(true).open(path)?;
        Ok(writeln!(log, "{} {text}", hull_clock::rfc3339_now())?)
    }
}

fn told<T>(what: &str, made: anyhow::Result<T>) -> Option<T> {
    made.inspect_err(|error| println!("left out: {what} ({error:#})")).ok()
}
