//! Orders: what was ordered at which price, and how it ended. Owns the checkout's decisions; whether goods are there
//! and money is paid it learns from those who know.

mod cancel;
mod events;
mod http;
mod order;
mod place;
mod pricing;
mod rebuild;
mod shop;
mod store;
mod view;

hull_sdk::http_component!(http::routes);
hull_sdk::event_component!(events::handle);
