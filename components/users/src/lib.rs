//! Users: who is known to the shop. Owns names and email addresses, and that an address belongs to one user.

mod http;
mod store;

hull_sdk::http_component!(http::routes);
