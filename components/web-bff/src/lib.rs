//! The web shop's front door: everything its home page shows, in one answer. Owns nothing; it asks those who do, all
//! at once, over WASI 0.3.

mod home;
mod http;

hull_sdk::http_component_p3!(http::routes, http::answer);
