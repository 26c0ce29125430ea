"""Planted events of the simulated shop show in the lake, and innocent ones do not."""

from __future__ import annotations

from datetime import datetime, timedelta

import polars as pl
import pytest

from dagster_project.home import DBT_PROJECT
from dagster_project.simulation.shop.story import COUNTRIES, PLATFORMS, Story
from tests.simulation.shop.shop_fixtures import UNTIL, LandedShop


def _per_day(frame: pl.DataFrame, column: str, start: datetime, end: datetime) -> float:
    return frame.filter(pl.col(column).is_between(start, end, closed="left")).height / (
        (end - start) / timedelta(days=1)
    )


def _error_rate(metrics: pl.DataFrame) -> float:
    return float(metrics["errors"].sum()) / float(metrics["requests"].sum())


def _conversion(funnel: pl.DataFrame) -> float:
    return float(funnel["completed"].sum()) / float(funnel["entered"].sum())


# --- the bad Android release


def test_complaints_about_the_checkout_multiply_after_the_bad_release(shop: LandedShop) -> None:
    checkout = shop.feedback.filter(pl.col("issue_type") == "checkout_failure")
    assert _per_day(checkout, "occurred_at", shop.ago(30), shop.ago(3)) < 3
    assert _per_day(checkout, "occurred_at", shop.ago(2), shop.ago(0)) > 20
    named = checkout.filter(pl.col("planted") == "android_checkout", pl.col("app_version").is_not_null())
    assert named.height > 40
    assert set(named["app_version"]) == {"5.2.0"}
    assert set(named["platform"]) == {"android"}


def test_checkout_errors_and_latency_rise_on_that_version_only(shop: LandedShop) -> None:
    after = shop.table("service_metrics").filter(
        pl.col("service") == "checkout", pl.col("bucket_start") > shop.truth.event("android_checkout").started_at
    )
    bad = after.filter(pl.col("platform") == "android", pl.col("app_version") == "5.2.0")
    controls = after.filter(pl.col("app_version") != "5.2.0")
    assert _error_rate(bad) > 0.25
    assert _error_rate(controls) < 0.01
    assert bad["latency_p95_ms"].to_numpy().mean() > 2 * controls["latency_p95_ms"].to_numpy().mean()


def test_android_checkout_conversion_and_orders_fall(shop: LandedShop) -> None:
    funnel = shop.table("funnel_metrics").filter(pl.col("step") == "checkout")
    before = funnel.filter(pl.col("bucket_start").is_between(shop.ago(9), shop.ago(3)))
    after = funnel.filter(pl.col("bucket_start") > shop.ago(2))
    for platform in PLATFORMS:
        here = pl.col("platform") == platform
        ratio = _conversion(after.filter(here)) / _conversion(before.filter(here))
        assert ratio < 0.8 if platform == "android" else 0.9 < ratio < 1.1
    orders = shop.table("orders").unique("order_id")

    def fall(where: pl.Expr) -> float:
        part = orders.filter(where)
        usual = [_per_day(part, "ordered_at", shop.ago(2 + 7 * w), shop.ago(7 * w)) for w in (1, 2, 3, 4)]
        return _per_day(part, "ordered_at", shop.ago(2), shop.ago(0)) / (sum(usual) / 4)

    assert fall(pl.col("platform") == "android") < 0.8
    assert 0.9 < fall(pl.col("platform") != "android") < 1.15


# --- the crash that was fixed


def test_crash_complaints_come_with_4_8_0_and_go_after_the_fix(shop: LandedShop) -> None:
    crashes = shop.feedback.filter(pl.col("issue_type") == "app_crash")
    crash = shop.truth.event("ios_crash")
    assert crash.ended_at is not None
    assert _per_day(crashes, "occurred_at", shop.ago(35), crash.started_at) < 3
    assert _per_day(crashes, "occurred_at", crash.started_at, crash.ended_at) > 15
    assert _per_day(crashes, "occurred_at", shop.ago(10), shop.ago(0)) < 3
    assert set(crashes.filter(pl.col("planted") == "ios_crash")["app_version"].drop_nulls()) == {"4.8.0"}


def test_the_app_fails_on_the_crashing_version_and_on_no_other(shop: LandedShop) -> None:
    client = shop.table("service_metrics").filter(pl.col("service") == "app-client")
    is_bad = (pl.col("platform") == "ios") & (pl.col("app_version") == "4.8.0")
    assert _error_rate(client.filter(is_bad)) > 0.06
    assert _error_rate(client.filter(~is_bad)) < 0.005


# --- the carrier strike


def test_late_parcels_in_germany_only_and_nothing_technical(shop: LandedShop) -> None:
    late = shop.feedback.filter(pl.col("issue_type") == "shipping_delivery")
    strike = shop.truth.event("carrier_strike").started_at

    def rise(where: pl.Expr) -> float:
        part = late.filter(where)
        before = _per_day(part, "occurred_at", shop.ago(40), shop.ago(13))
        return _per_day(part, "occurred_at", strike + timedelta(days=1), shop.ago(0)) / before

    assert 5 < rise(pl.col("country") == "DE") < 14
    assert rise(pl.col("country").is_in(["US", "GB", "FR"])) < 2
    during = shop.table("service_metrics").filter(
        pl.col("bucket_start").is_between(strike, shop.truth.event("android_checkout").started_at)
    )
    assert _error_rate(during) < 0.006


def test_releases_and_a_flag_shortly_before_the_strike_tempt_to_blame_them(shop: LandedShop) -> None:
    strike = shop.truth.event("carrier_strike").started_at
    day_before = (strike - timedelta(days=1), strike)
    assert shop.table("releases").filter(pl.col("deployed_at").is_between(*day_before)).height == 1
    assert shop.table("flag_changes").filter(pl.col("changed_at").is_between(*day_before)).height == 1


# --- the sale, the payment hiccup, the flag


def test_the_sale_lifts_traffic_orders_and_feedback_alike(shop: LandedShop) -> None:
    sale = shop.truth.event("sale")
    assert sale.ended_at is not None
    weeks_before = [(sale.started_at - timedelta(weeks=w), sale.ended_at - timedelta(weeks=w)) for w in (1, 2, 3, 4)]
    innocent = shop.feedback.filter(pl.col("planted") == "")
    orders = shop.table("orders").unique("order_id")
    visits = shop.table("funnel_metrics").filter(pl.col("step") == "visit")
    usual = sum(_per_day(innocent, "occurred_at", *week) for week in weeks_before) / 4
    assert 1.8 < _per_day(innocent, "occurred_at", sale.started_at, sale.ended_at) / usual < 2.6
    usual = sum(_per_day(orders, "ordered_at", *week) for week in weeks_before) / 4
    assert 1.9 < _per_day(orders, "ordered_at", sale.started_at, sale.ended_at) / usual < 2.5

    def entered(start: datetime, end: datetime) -> float:
        return float(visits.filter(pl.col("bucket_start").is_between(start, end, closed="left"))["entered"].sum())

    assert 2.0 < entered(sale.started_at, sale.ended_at) / (sum(entered(*week) for week in weeks_before) / 4) < 2.4


def test_five_hours_of_failing_payments_everywhere_with_few_complaints(shop: LandedShop) -> None:
    hiccup = shop.truth.event("payment_hiccup")
    assert hiccup.ended_at is not None
    payments = shop.table("service_metrics").filter(pl.col("service") == "payments")
    inside = pl.col("bucket_start").is_between(hiccup.started_at, hiccup.ended_at - timedelta(hours=1))
    for platform in PLATFORMS:
        assert _error_rate(payments.filter(inside, pl.col("platform") == platform)) > 0.25
    assert _error_rate(payments.filter(pl.col("bucket_start") > hiccup.ended_at)) < 0.012
    funnel = shop.table("funnel_metrics").filter(pl.col("step") == "payment")
    assert _conversion(funnel.filter(inside)) < 0.7
    assert _conversion(funnel.filter(~inside)) > 0.9
    assert 0 < shop.truth.complaints["payment_hiccup"] < 15


def test_search_does_not_change_with_the_new_ranking(shop: LandedShop) -> None:
    switched = shop.truth.event("search_flag").started_at
    funnel = shop.table("funnel_metrics").filter(pl.col("step") == "search")
    before, after = (
        funnel.filter(part) for part in (pl.col("bucket_start") < switched, pl.col("bucket_start") > switched)
    )
    assert _conversion(after) == pytest.approx(_conversion(before), abs=0.01)


# --- the innocent background


def test_every_issue_type_and_channel_occurs(shop: LandedShop) -> None:
    types = set(pl.read_csv(DBT_PROJECT / "seeds" / "taxonomy.csv")["issue_type"])
    assert set(shop.feedback["issue_type"]) == types
    channels = {"app_review", "product_review", "support_ticket", "chat", "social", "nps", "return"}
    assert set(shop.feedback["channel"]) == channels
    per_day = _per_day(shop.feedback, "occurred_at", shop.ago(56), shop.ago(0))
    assert 60 < per_day < 90


def test_stars_agree_with_what_is_said(shop: LandedShop) -> None:
    stars = shop.feedback.filter(pl.col("rating").is_not_null())
    assert stars.filter(pl.col("issue_type") == "praise")["rating"].min() == 4
    assert stars.filter(pl.col("issue_type").is_in(["checkout_failure", "app_crash"]))["rating"].max() == 2


def test_channels_know_only_what_they_can_know(shop: LandedShop) -> None:
    feedback = shop.feedback
    social = feedback.filter(pl.col("channel") == "social")
    for unknown in ("customer_id", "country", "platform", "app_version", "rating"):
        assert social[unknown].null_count() == social.height
    play = feedback.filter(pl.col("source") == "google_play")
    assert play["country"].null_count() == play["customer_id"].null_count() == play.height
    assert set(feedback.filter(pl.col("source") == "app_store")["country"]) == set(COUNTRIES)
    tickets = feedback.filter(pl.col("channel") == "support_ticket")
    assert tickets["customer_id"].null_count() == 0
    assert set(tickets["customer_id"]) <= set(shop.table("customers")["customer_id"])


def test_a_named_order_belongs_to_the_customer_who_names_it(shop: LandedShop) -> None:
    orders = shop.table("orders").unique("order_id").select("order_id", buyer="customer_id", bought="ordered_at")
    named = shop.feedback.filter(pl.col("order_id").is_not_null()).join(orders, on="order_id", how="left")
    assert named.height > 300
    assert named["buyer"].to_list() == named["customer_id"].to_list()
    assert named.filter(pl.col("bought") > pl.col("occurred_at")).is_empty()


def test_the_funnel_sells_exactly_the_orders(shop: LandedShop) -> None:
    sold = shop.table("funnel_metrics").filter(pl.col("step") == "order")
    hour = sold["bucket_start"].max()
    orders = shop.table("orders").filter(pl.col("ordered_at") < pl.lit(hour) + pl.duration(hours=1))
    assert sold["completed"].sum() == orders["order_id"].n_unique()
    assert sold["revenue"].sum() == pytest.approx(orders["amount"].sum())


def test_versions_spread_over_days_and_always_cover_all_traffic() -> None:
    story = Story.ending(UNTIL, 56)
    for versions, shares in story.adoption.values():
        assert shares.sum(axis=1) == pytest.approx(1.0)
        assert shares.shape == (story.hours, len(versions))
    android = story.share_of("android", "5.2.0")
    assert 0.3 < android[-36] < 0.6 < android[-1] < 0.9


def test_refunds_are_newer_versions_of_paid_lines(shop: LandedShop) -> None:
    orders = shop.table("orders")
    refunded = orders.filter(pl.col("status") == "refunded")
    assert 0.01 < refunded.height / orders.height < 0.05
    assert refunded.filter(pl.col("refunded_at") <= pl.col("ordered_at")).is_empty()
    assert refunded["refund_amount"].to_list() == refunded["amount"].to_list()
