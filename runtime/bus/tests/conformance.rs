//! One suite for every backend of the bus: what `Bus` promises is what its users rely on, whoever keeps the events.

// Outside of `#[test]` functions clippy takes a test's code for the product's.
#![allow(clippy::expect_used, clippy::duration_suboptimal_units, clippy::needless_pass_by_value)]

#[path = "conformance/backend.rs"]
mod backend;
#[path = "conformance/consuming.rs"]
mod consuming;
#[path = "conformance/publishing.rs"]
mod publishing;
#[path = "conformance/reading.rs"]
mod reading;
#[path = "conformance/requesting.rs"]
mod requesting;
// The tests of what only NATS does kill it as well.
#[allow(dead_code)]
#[path = "conformance/server.rs"]
mod server;

/// One test for each promise on each backend.
macro_rules! conformance {
    ($backends:tt: $promises:tt) => {
        conformance! { @each $backends $promises }
    };
    (@each [$($backend:ident),+] $promises:tt) => {
        $(conformance! { @one $backend $promises })+
    };
    (@one $backend:ident [$($area:ident::$promise:ident),+ $(,)?]) => {
        mod $backend {
            $(
                #[tokio::test]
                async fn $promise() {
                    let backend = crate::backend::$backend();
                    crate::$area::$promise(&backend).await;
                }
            )+
        }
    };
}

conformance! { [embedded, embedded_unsynced, nats]: [
    publishing::events_arrive_whole_and_in_order,
    publishing::events_survive_a_reopening,
    publishing::a_repeated_publish_is_stored_once,
    publishing::an_id_with_other_content_is_refused,
    publishing::an_event_without_an_id_is_named_by_its_place,
    publishing::a_batch_ends_at_its_first_failure,
    publishing::what_cannot_be_carried_is_refused,
    publishing::a_full_stream_refuses_and_takes_again_when_acknowledged,
    publishing::what_somebody_has_not_acknowledged_is_never_dropped,
    publishing::who_floods_a_stream_is_refused_alone,
    publishing::apps_are_apart,
    consuming::wildcards_choose_events,
    consuming::acknowledged_events_do_not_come_again,
    consuming::acknowledgements_survive_a_reopening,
    consuming::an_unanswered_event_comes_again,
    consuming::a_dropped_delivery_comes_again,
    consuming::a_nak_delays_and_counts,
    consuming::a_nak_may_delay_for_longer_than_the_ack_wait,
    consuming::opening_again_changes_the_settings,
    consuming::events_wait_for_a_consumer_that_is_not_there_yet,
    consuming::in_progress_holds_the_ack_wait_off,
    consuming::ordered_consumers_hold_the_line,
    consuming::no_more_are_in_flight_than_may_be,
    consuming::new_consumers_start_where_they_say,
    consuming::consumers_do_not_hold_each_other_up,
    consuming::several_hands_share_a_consumer,
    consuming::a_cancelled_fetch_loses_nothing,
    consuming::a_removed_consumer_ends,
    consuming::a_removed_stream_is_gone_with_everything,
    consuming::shutdown_ends_waiting,
    consuming::status_counts,
    reading::pages_follow_each_other_to_the_end,
    reading::reading_goes_on_with_what_comes,
    reading::readers_take_nothing_from_consumers,
    reading::pages_are_bounded,
    reading::nothing_is_read_of_an_app_without_events,
    requesting::a_request_is_answered,
    requesting::one_responder_of_each_component_is_asked,
    requesting::nobody_there_is_said_at_once,
    requesting::silence_ends_with_the_timeout,
    requesting::an_answer_that_comes_too_late_is_no_error,
    requesting::a_refusal_is_passed_on,
    requesting::pending_requests_are_bounded,
] }
