//! Carts: what a user means to buy. Owns products and quantities per user, and nothing about either beyond their ids.

mod cart;
mod events;
mod http;

hull_sdk::http_component!(http::routes);
hull_sdk::event_component!(events::handle);
