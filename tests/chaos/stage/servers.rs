//! What is done to the servers that hold events and data, and to the networks that lead to them.

use rustix::process::Signal;

use super::Stage;
use crate::backends::Role;
use crate::fault::Blow;
use crate::network::Weather;

/// Longer than a host's lease of its app lasts without being renewed.
const LONG_MS: (u64, u64) = (12_500, 16_000);

impl Stage<'_> {
    pub(super) fn strike_server(&mut self, role: Role, blow: Blow) -> anyhow::Result<()> {
        match blow {
            Blow::Kill => {
                self.servers.get(role)?.kill();
                self.kills += 1;
                self.while_it_is_away(role, 1_500)?;
                self.servers.get(role)?.restart();
            }
            Blow::Pause => {
                self.servers.get(role)?.signal(Signal::STOP)?;
                let waited = self.while_it_is_away(role, if self.long { 6_000 } else { 1_200 });
                self.servers.get(role)?.signal(Signal::CONT)?;
                waited?;
            }
            Blow::Cut => self.have_weather(role, Weather::Cut, 2_000)?,
            Blow::Silence => self.have_weather(role, Weather::Silent, if self.long { 8_000 } else { 1_500 })?,
            Blow::Slow => self.have_weather(role, Weather::Slow, 3_000)?,
            Blow::Break => self.have_weather(role, Weather::Breaking, 1_500)?,
        }
        Ok(())
    }

    fn have_weather(&mut self, role: Role, weather: Weather, most_ms: u64) -> anyhow::Result<()> {
        self.servers.get(role)?.network.set(weather);
        self.while_it_is_away(role, most_ms)?;
        self.servers.get(role)?.network.set(Weather::Fair);
        Ok(())
    }

    /// Wait, seldom for longer than a lease lasts; a host may die meanwhile, and its successor start without a bus.
    fn while_it_is_away(&mut self, role: Role, most_ms: u64) -> anyhow::Result<()> {
        if self.long && self.random.percent(6) {
            self.pause(LONG_MS.0, LONG_MS.1);
        } else {
            self.pause(50, most_ms);
        }
        if self.random.percent(40) {
            self.kill_host()?;
            // Without the data nobody starts: there are migrations to look at.
            if role == Role::Bus && self.long && self.random.percent(25) {
                self.start_host()?;
                self.pause(0, 500);
            }
        }
        Ok(())
    }
}
