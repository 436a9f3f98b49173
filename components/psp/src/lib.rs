//! A payment provider to develop and test against: its tokens say how it behaves, and its ledger says what really
//! happened, whatever the shop believes.

mod charges;
mod http;
mod store;

hull_sdk::http_component!(http::routes);
