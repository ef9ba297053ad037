//! One suite for every store, and what is particular to the embedded one.
//!
//! - `suite`: what any store must do, written against [`hitwire_store::Store`]; run here on the embedded store with its
//!   threads and without.
//! - `model`: random histories against a naive model in memory.
//! - `rights`: the part of the suite about changes whose author, client or user is gone when they are committed.
//! - `sqlite`: files, locks, keys, slices, retention, broken disks.

mod model;
mod rights;
mod sqlite;
mod suite;
mod support;

/// Runs each test of the suite on a backend.
macro_rules! run_suite {
    ($backend:expr; $($name:ident,)*) => {
        $(
            #[tokio::test]
            async fn $name() {
                crate::suite::$name(&$backend).await;
            }
        )*
    };
}

/// The suite, once for each backend.
macro_rules! suites {
    ($($backend:ident: $make:expr;)*) => {
        $(
            mod $backend {
                run_suite! {
                    $make;
                    appended_events_are_read_back_in_order,
                    a_read_gives_only_the_streams_asked_for_from_where_they_begin,
                    a_page_ends_at_its_bounds_and_says_that_there_is_more,
                    whoever_follows_the_log_gets_everything_in_order,
                    the_attempts_of_all_integrations_are_followed_in_the_order_in_which_they_ended,
                    a_single_event_larger_than_a_page_is_still_given,
                    nothing_is_read_past_the_position_asked_for,
                    the_head_moves_with_each_append_and_is_never_ahead_of_what_can_be_read,
                    a_dispatcher_is_told_which_streams_have_news,
                    an_event_sent_again_is_left_out_and_said_to_be_a_duplicate,
                    an_event_sent_twice_in_one_append_is_taken_once,
                    an_id_with_other_content_is_taken_and_marked,
                    without_deduplication_everything_is_taken,
                    duplicates_are_known_after_a_restart,
                    a_checkpoint_is_there_exactly_with_its_events,
                    everything_is_there_after_a_restart,
                    lag_counts_what_lies_between_and_says_since_when,
                    a_position_is_found_by_time,
                    a_new_integration_begins_at_the_end_of_the_log,
                    integrations_are_listed_by_client,
                    a_stretch_of_integrations_is_bounded_in_bytes,
                    integrations_are_listed_page_by_page_by_state_and_by_a_part_of_the_name,
                    a_search_among_many_names_goes_on_where_it_stopped,
                    an_update_raises_the_revision_and_the_content_revision_only_with_the_content,
                    an_update_from_an_older_revision_is_a_conflict,
                    a_newly_ticked_kind_counts_from_the_moment_it_is_ticked,
                    what_an_unticked_kind_had_outstanding_is_a_skipped_range,
                    enabling_after_a_user_disabled_it_skips_to_now_and_says_what_was_skipped,
                    enabling_after_hitwire_disabled_it_resumes_with_what_was_missed,
                    enabling_resumes_where_the_caller_says,
                    a_deleted_integration_is_gone_with_all_it_had,
                    a_step_of_a_courier_is_saved_as_a_whole,
                    what_was_settled_out_of_turn_is_not_skipped,
                    only_who_loaded_a_courier_last_may_save_it,
                    every_change_by_somebody_else_has_a_courier_load_again,
                    what_is_ticked_begins_behind_all_that_a_courier_has_saved,
                    a_lane_that_did_not_change_stays_as_it_is,
                    a_step_that_disables_does_not_overrule_the_user,
                    the_delivery_log_is_read_page_by_page_newest_first,
                    lost_ranges_are_read_page_by_page_newest_first,
                    a_token_is_found_by_its_hash_replaced_by_its_number_and_taken_away,
                    reserved_ids_are_never_given_again,
                    clients_users_and_applications_are_kept_and_changed_from_their_revision,
                    how_users_sign_in_is_kept_and_goes_with_them,
                    a_link_is_good_once,
                    a_change_is_refused_once_what_allowed_it_is_gone,
                    nothing_is_made_of_a_client_that_is_gone,
                    nothing_is_made_of_a_user_who_is_gone,
                    who_is_disabled_is_not_signed_in,
                    the_activity_log_is_read_newest_first_by_what_it_is_about_and_when,
                    what_is_remembered_outlives_a_restart_and_is_replaced,
                    an_announcement_is_kept_exactly_if_its_change_is,
                    ops_of_one_call_are_answered_in_their_order,
                    an_append_beside_an_impossible_change_is_not_made,
                    of_a_call_that_fails_nothing_counts,
                    callers_at_the_same_time_all_get_their_own_answer,
                    a_closed_store_refuses_and_keeps_everything,
                }
            }
        )*
    };
}

suites! {
    with_threads: crate::support::Bench::new(false);
    inline: crate::support::Bench::new(true);
}
