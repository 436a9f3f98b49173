//! Notifications: what a user is told, once. Owns the messages; what leads to them it learns from events.

mod events;
mod http;
mod store;

hull_sdk::http_component!(http::routes);
hull_sdk::event_component!(events::handle);
