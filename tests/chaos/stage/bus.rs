//! What is done to the server that holds the events, and to the network that leads to it.

use anyhow::Context as _;
use rustix::process::Signal;

use super::Stage;
use crate::backends::BusServer;
use crate::fault::Fault;
use crate::network::Weather;

/// Longer than a host's lease of its app lasts without being renewed.
const LONG_MS: (u64, u64) = (12_500, 16_000);

impl Stage<'_> {
    pub(super) fn strike_bus(&mut self, fault: Fault) -> anyhow::Result<()> {
        match fault {
            Fault::KillBus => {
                self.bus()?.server.kill();
                self.kills += 1;
                self.while_the_bus_is_away(1_500)?;
                self.bus()?.server.restart();
            }
            Fault::PauseBus => {
                self.bus()?.server.signal(Signal::STOP)?;
                self.while_the_bus_is_away(if self.long { 6_000 } else { 1_200 })?;
                self.bus()?.server.signal(Signal::CONT)?;
            }
            Fault::CutBus => self.have_weather(Weather::Cut, 2_000)?,
            Fault::SilenceBus => self.have_weather(Weather::Silent, if self.long { 8_000 } else { 1_500 })?,
            Fault::SlowBus => self.have_weather(Weather::Slow, 3_000)?,
            Fault::BreakBus => self.have_weather(Weather::Breaking, 1_500)?,
            _ => {}
        }
        Ok(())
    }

    fn bus(&mut self) -> anyhow::Result<&mut BusServer> {
        self.servers.bus.as_mut().context("this pair has no server for its events")
    }

    fn have_weather(&mut self, weather: Weather, most_ms: u64) -> anyhow::Result<()> {
        self.bus()?.network.set(weather);
        self.while_the_bus_is_away(most_ms)?;
        self.bus()?.network.set(Weather::Fair);
        Ok(())
    }

    /// Wait, seldom for longer than a lease lasts; the host may die meanwhile, and its successor start without a bus.
    fn while_the_bus_is_away(&mut self, most_ms: u64) -> anyhow::Result<()> {
        if self.long && self.random.percent(6) {
            self.pause(LONG_MS.0, LONG_MS.1);
        } else {
            self.pause(50, most_ms);
        }
        if self.random.percent(40) {
            self.kill_host()?;
            if self.long && self.random.percent(25) {
                self.start_host()?;
                self.pause(0, 500);
            }
        }
        Ok(())
    }
}
