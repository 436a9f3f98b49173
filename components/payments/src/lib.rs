//! Payments: what was charged for which order, and what went back. Owns the dealings with the payment provider;
//! what was ordered and why it was cancelled it does not know.

mod account;
mod events;
mod http;
mod offer;
mod provider;
mod store;

hull_sdk::http_component!(http::routes);
hull_sdk::event_component!(events::handle);
