//! Products: what the shop sells. Owns names, descriptions, categories and prices, and finds them again.

mod http;
mod search;
mod store;

hull_sdk::http_component!(http::routes);
