//! Inventory: how much of each product there is, and what of it is promised to whom. Owns stock and reservations;
//! what a product is called or costs, and why an order ended, it does not know.

mod events;
mod http;
mod reservation;
mod store;

hull_sdk::http_component!(http::routes);
hull_sdk::event_component!(events::handle);
