//! The objects of 2.2.1 (checklist 1.19), in the checklist's order; one line per field, in the specification's order.

use super::enumerations::*;
use super::grammar::Kind::{
    Anything, Bool, CiString, DateTime, Digits, Integer, LongText, Number, Object, OneOf, Text, Url,
};
use super::grammar::{Structure, filled, list, maybe, one};
use super::rules;
use super::rules::{ALPHA_2, ALPHA_3, DATE, LATITUDE, LONGITUDE, ONE_DECIMAL, TIME_OF_DAY, TIME_ZONE, WEEKDAY};

/// Around every answer.
pub static ENVELOPE: Structure = Structure {
    id: "OBJ-01",
    name: "Envelope",
    fields: &[
        maybe("data", Anything),
        one("status_code", Integer),
        maybe("status_message", LongText),
        one("timestamp", DateTime),
    ],
    rules: &[],
};

/// A text for people, in one language.
pub static DISPLAY_TEXT: Structure = Structure {
    id: "OBJ-02",
    name: "DisplayText",
    fields: &[one("language", Text(2)), one("text", Text(512))],
    rules: &[],
};

/// An amount with and without VAT.
pub static PRICE: Structure = Structure {
    id: "OBJ-03",
    name: "Price",
    fields: &[one("excl_vat", Number), maybe("incl_vat", Number)],
    rules: &[],
};

/// A version and where it begins.
pub static VERSION: Structure = Structure {
    id: "OBJ-04",
    name: "Version",
    fields: &[one("version", OneOf(&VERSION_NUMBER)), one("url", Url)],
    rules: &[],
};

/// What a version offers.
pub static VERSION_DETAILS: Structure = Structure {
    id: "OBJ-05",
    name: "VersionDetails",
    fields: &[
        one("version", OneOf(&VERSION_NUMBER)),
        filled("endpoints", Object(&ENDPOINT)),
    ],
    rules: &[],
};

/// One side of one module.
pub static ENDPOINT: Structure = Structure {
    id: "OBJ-06",
    name: "Endpoint",
    fields: &[
        one("identifier", OneOf(&MODULE_ID)),
        one("role", OneOf(&INTERFACE_ROLE)),
        one("url", Url),
    ],
    rules: &[],
};

/// How to talk to a platform.
pub static CREDENTIALS: Structure = Structure {
    id: "OBJ-07",
    name: "Credentials",
    fields: &[
        one("token", Text(64)),
        one("url", Url),
        filled("roles", Object(&CREDENTIALS_ROLE)),
    ],
    rules: rules::CREDENTIALS,
};

/// One party on a platform.
pub static CREDENTIALS_ROLE: Structure = Structure {
    id: "OBJ-08",
    name: "CredentialsRole",
    fields: &[
        one("role", OneOf(&ROLE)),
        one("business_details", Object(&BUSINESS_DETAILS)),
        one("party_id", CiString(3)),
        one("country_code", CiString(2)).like(&ALPHA_2),
    ],
    rules: &[],
};

/// Whether a party can be reached.
pub static CLIENT_INFO: Structure = Structure {
    id: "OBJ-09",
    name: "ClientInfo",
    fields: &[
        one("party_id", CiString(3)),
        one("country_code", CiString(2)).like(&ALPHA_2),
        one("role", OneOf(&ROLE)),
        one("status", OneOf(&CONNECTION_STATUS)),
        one("last_updated", DateTime),
    ],
    rules: &[],
};

/// A place to charge.
pub static LOCATION: Structure = Structure {
    id: "OBJ-10",
    name: "Location",
    fields: &[
        one("country_code", CiString(2)).like(&ALPHA_2),
        one("party_id", CiString(3)),
        one("id", CiString(36)),
        one("publish", Bool),
        list("publish_allowed_to", Object(&PUBLISH_TOKEN_TYPE)),
        maybe("name", Text(255)),
        one("address", Text(255)),
        one("city", Text(45)),
        maybe("postal_code", Text(10)),
        maybe("state", Text(45)),
        one("country", Text(3)).like(&ALPHA_3),
        one("coordinates", Object(&GEO_LOCATION)),
        list("related_locations", Object(&ADDITIONAL_GEO_LOCATION)),
        maybe("parking_type", OneOf(&PARKING_TYPE)),
        list("evses", Object(&EVSE)),
        list("directions", Object(&DISPLAY_TEXT)),
        maybe("operator", Object(&BUSINESS_DETAILS)),
        maybe("suboperator", Object(&BUSINESS_DETAILS)),
        maybe("owner", Object(&BUSINESS_DETAILS)),
        list("facilities", OneOf(&FACILITY)),
        one("time_zone", Text(255)).like(&TIME_ZONE),
        maybe("opening_times", Object(&HOURS)),
        maybe("charging_when_closed", Bool),
        list("images", Object(&IMAGE)),
        maybe("energy_mix", Object(&ENERGY_MIX)),
        one("last_updated", DateTime),
    ],
    rules: rules::LOCATION,
};

/// What charges one car at a time.
pub static EVSE: Structure = Structure {
    id: "OBJ-11",
    name: "EVSE",
    fields: &[
        one("uid", CiString(36)),
        maybe("evse_id", CiString(48)),
        one("status", OneOf(&STATUS)),
        list("status_schedule", Object(&STATUS_SCHEDULE)),
        list("capabilities", OneOf(&CAPABILITY)),
        filled("connectors", Object(&CONNECTOR)),
        maybe("floor_level", Text(4)),
        maybe("coordinates", Object(&GEO_LOCATION)),
        maybe("physical_reference", Text(16)),
        list("directions", Object(&DISPLAY_TEXT)),
        list("parking_restrictions", OneOf(&PARKING_RESTRICTION)),
        list("images", Object(&IMAGE)),
        one("last_updated", DateTime),
    ],
    rules: &[],
};

/// A plug or socket.
pub static CONNECTOR: Structure = Structure {
    id: "OBJ-12",
    name: "Connector",
    fields: &[
        one("id", CiString(36)),
        one("standard", OneOf(&CONNECTOR_TYPE)),
        one("format", OneOf(&CONNECTOR_FORMAT)),
        one("power_type", OneOf(&POWER_TYPE)),
        one("max_voltage", Integer),
        one("max_amperage", Integer),
        maybe("max_electric_power", Integer),
        list("tariff_ids", CiString(36)),
        maybe("terms_and_conditions", Url),
        one("last_updated", DateTime),
    ],
    rules: &[],
};

/// A point on earth.
pub static GEO_LOCATION: Structure = Structure {
    id: "OBJ-13",
    name: "GeoLocation",
    fields: &[
        one("latitude", Text(10)).like(&LATITUDE),
        one("longitude", Text(11)).like(&LONGITUDE),
    ],
    rules: &[],
};

/// A point on earth with a name.
pub static ADDITIONAL_GEO_LOCATION: Structure = Structure {
    id: "OBJ-14",
    name: "AdditionalGeoLocation",
    fields: &[
        one("latitude", Text(10)).like(&LATITUDE),
        one("longitude", Text(11)).like(&LONGITUDE),
        maybe("name", Object(&DISPLAY_TEXT)),
    ],
    rules: &[],
};

/// A company.
pub static BUSINESS_DETAILS: Structure = Structure {
    id: "OBJ-15",
    name: "BusinessDetails",
    fields: &[
        one("name", Text(100)),
        maybe("website", Url),
        maybe("logo", Object(&IMAGE)),
    ],
    rules: &[],
};

/// A picture.
pub static IMAGE: Structure = Structure {
    id: "OBJ-16",
    name: "Image",
    fields: &[
        one("url", Url),
        maybe("thumbnail", Url),
        one("category", OneOf(&IMAGE_CATEGORY)),
        one("type", CiString(4)),
        maybe("width", Digits(5)),
        maybe("height", Digits(5)),
    ],
    rules: &[],
};

/// When a place is open.
pub static HOURS: Structure = Structure {
    id: "OBJ-17",
    name: "Hours",
    fields: &[
        one("twentyfourseven", Bool),
        list("regular_hours", Object(&REGULAR_HOURS)),
        list("exceptional_openings", Object(&EXCEPTIONAL_PERIOD)),
        list("exceptional_closings", Object(&EXCEPTIONAL_PERIOD)),
    ],
    rules: rules::HOURS,
};

/// Open hours of one weekday.
pub static REGULAR_HOURS: Structure = Structure {
    id: "OBJ-18",
    name: "RegularHours",
    fields: &[
        one("weekday", Digits(1)).like(&WEEKDAY),
        one("period_begin", Text(5)).like(&TIME_OF_DAY),
        one("period_end", Text(5)).like(&TIME_OF_DAY),
    ],
    rules: rules::REGULAR_HOURS,
};

/// A period open or closed out of turn.
pub static EXCEPTIONAL_PERIOD: Structure = Structure {
    id: "OBJ-19",
    name: "ExceptionalPeriod",
    fields: &[one("period_begin", DateTime), one("period_end", DateTime)],
    rules: &[],
};

/// A status to come.
pub static STATUS_SCHEDULE: Structure = Structure {
    id: "OBJ-20",
    name: "StatusSchedule",
    fields: &[
        one("period_begin", DateTime),
        maybe("period_end", DateTime),
        one("status", OneOf(&STATUS)),
    ],
    rules: &[],
};

/// Where the energy comes from.
pub static ENERGY_MIX: Structure = Structure {
    id: "OBJ-21",
    name: "EnergyMix",
    fields: &[
        one("is_green_energy", Bool),
        list("energy_sources", Object(&ENERGY_SOURCE)),
        list("environ_impact", Object(&ENVIRONMENTAL_IMPACT)),
        maybe("supplier_name", Text(64)),
        maybe("energy_product_name", Text(64)),
    ],
    rules: rules::ENERGY_MIX,
};

/// One source of energy and its share.
pub static ENERGY_SOURCE: Structure = Structure {
    id: "OBJ-22",
    name: "EnergySource",
    fields: &[one("source", OneOf(&ENERGY_SOURCE_CATEGORY)), one("percentage", Number)],
    rules: &[],
};

/// What the energy leaves behind.
pub static ENVIRONMENTAL_IMPACT: Structure = Structure {
    id: "OBJ-23",
    name: "EnvironmentalImpact",
    fields: &[
        one("category", OneOf(&ENVIRONMENTAL_IMPACT_CATEGORY)),
        one("amount", Number),
    ],
    rules: &[],
};

/// Who may see an unpublished location.
pub static PUBLISH_TOKEN_TYPE: Structure = Structure {
    id: "OBJ-24",
    name: "PublishTokenType",
    fields: &[
        maybe("uid", CiString(36)),
        maybe("type", OneOf(&TOKEN_TYPE)),
        maybe("visual_number", Text(64)),
        maybe("issuer", Text(64)),
        maybe("group_id", CiString(36)),
    ],
    rules: rules::PUBLISH_TOKEN_TYPE,
};

/// A driver charging.
pub static SESSION: Structure = Structure {
    id: "OBJ-25",
    name: "Session",
    fields: &[
        one("country_code", CiString(2)).like(&ALPHA_2),
        one("party_id", CiString(3)),
        one("id", CiString(36)),
        one("start_date_time", DateTime),
        maybe("end_date_time", DateTime),
        one("kwh", Number),
        one("cdr_token", Object(&CDR_TOKEN)),
        one("auth_method", OneOf(&AUTH_METHOD)),
        maybe("authorization_reference", CiString(36)),
        one("location_id", CiString(36)),
        one("evse_uid", CiString(36)),
        one("connector_id", CiString(36)),
        maybe("meter_id", Text(255)),
        one("currency", Text(3)),
        list("charging_periods", Object(&CHARGING_PERIOD)),
        maybe("total_cost", Object(&PRICE)),
        one("status", OneOf(&SESSION_STATUS)),
        one("last_updated", DateTime),
    ],
    rules: &[],
};

/// A driver's wishes.
pub static CHARGING_PREFERENCES: Structure = Structure {
    id: "OBJ-26",
    name: "ChargingPreferences",
    fields: &[
        one("profile_type", OneOf(&PROFILE_TYPE)),
        maybe("departure_time", DateTime),
        maybe("energy_need", Number),
        maybe("discharge_allowed", Bool),
    ],
    rules: &[],
};

/// The bill of a session.
pub static CDR: Structure = Structure {
    id: "OBJ-27",
    name: "CDR",
    fields: &[
        one("country_code", CiString(2)).like(&ALPHA_2),
        one("party_id", CiString(3)),
        one("id", CiString(39)),
        one("start_date_time", DateTime),
        one("end_date_time", DateTime),
        maybe("session_id", CiString(36)),
        one("cdr_token", Object(&CDR_TOKEN)),
        one("auth_method", OneOf(&AUTH_METHOD)),
        maybe("authorization_reference", CiString(36)),
        one("cdr_location", Object(&CDR_LOCATION)),
        maybe("meter_id", Text(255)),
        one("currency", Text(3)),
        list("tariffs", Object(&TARIFF)),
        filled("charging_periods", Object(&CHARGING_PERIOD)),
        maybe("signed_data", Object(&SIGNED_DATA)),
        one("total_cost", Object(&PRICE)),
        maybe("total_fixed_cost", Object(&PRICE)),
        one("total_energy", Number),
        maybe("total_energy_cost", Object(&PRICE)),
        one("total_time", Number),
        maybe("total_time_cost", Object(&PRICE)),
        maybe("total_parking_time", Number),
        maybe("total_parking_cost", Object(&PRICE)),
        maybe("total_reservation_cost", Object(&PRICE)),
        maybe("remark", Text(255)),
        maybe("invoice_reference_id", CiString(39)),
        maybe("credit", Bool),
        maybe("credit_reference_id", CiString(39)),
        maybe("home_charging_compensation", Bool),
        one("last_updated", DateTime),
    ],
    rules: rules::CDR,
};

/// Where it was charged.
pub static CDR_LOCATION: Structure = Structure {
    id: "OBJ-28",
    name: "CdrLocation",
    fields: &[
        one("id", CiString(36)),
        maybe("name", Text(255)),
        one("address", Text(45)),
        one("city", Text(45)),
        maybe("postal_code", Text(10)),
        maybe("state", Text(20)),
        one("country", Text(3)).like(&ALPHA_3),
        one("coordinates", Object(&GEO_LOCATION)),
        one("evse_uid", CiString(36)),
        one("evse_id", CiString(48)),
        one("connector_id", CiString(36)),
        one("connector_standard", OneOf(&CONNECTOR_TYPE)),
        one("connector_format", OneOf(&CONNECTOR_FORMAT)),
        one("connector_power_type", OneOf(&POWER_TYPE)),
    ],
    rules: &[],
};

/// Who charged.
pub static CDR_TOKEN: Structure = Structure {
    id: "OBJ-29",
    name: "CdrToken",
    fields: &[
        one("country_code", CiString(2)).like(&ALPHA_2),
        one("party_id", CiString(3)),
        one("uid", CiString(36)),
        one("type", OneOf(&TOKEN_TYPE)),
        one("contract_id", CiString(36)),
    ],
    rules: &[],
};

/// A part of a session under one price.
pub static CHARGING_PERIOD: Structure = Structure {
    id: "OBJ-30",
    name: "ChargingPeriod",
    fields: &[
        one("start_date_time", DateTime),
        filled("dimensions", Object(&CDR_DIMENSION)),
        maybe("tariff_id", CiString(36)),
    ],
    rules: &[],
};

/// How much of something in a period.
pub static CDR_DIMENSION: Structure = Structure {
    id: "OBJ-31",
    name: "CdrDimension",
    fields: &[one("type", OneOf(&CDR_DIMENSION_TYPE)), one("volume", Number)],
    rules: &[],
};

/// The proof.
pub static SIGNED_DATA: Structure = Structure {
    id: "OBJ-32",
    name: "SignedData",
    fields: &[
        one("encoding_method", CiString(36)),
        maybe("encoding_method_version", Integer),
        maybe("public_key", Text(512)),
        filled("signed_values", Object(&SIGNED_VALUE)),
        maybe("url", Text(512)),
    ],
    rules: &[],
};

/// One signed reading.
pub static SIGNED_VALUE: Structure = Structure {
    id: "OBJ-33",
    name: "SignedValue",
    fields: &[
        one("nature", CiString(32)),
        one("plain_data", Text(5000)),
        one("signed_data", Text(5000)),
    ],
    rules: &[],
};

/// What charging costs.
pub static TARIFF: Structure = Structure {
    id: "OBJ-34",
    name: "Tariff",
    fields: &[
        one("country_code", CiString(2)).like(&ALPHA_2),
        one("party_id", CiString(3)),
        one("id", CiString(36)),
        one("currency", Text(3)),
        maybe("type", OneOf(&TARIFF_TYPE)),
        list("tariff_alt_text", Object(&DISPLAY_TEXT)),
        maybe("tariff_alt_url", Url),
        maybe("min_price", Object(&PRICE)),
        maybe("max_price", Object(&PRICE)),
        filled("elements", Object(&TARIFF_ELEMENT)),
        maybe("start_date_time", DateTime),
        maybe("end_date_time", DateTime),
        maybe("energy_mix", Object(&ENERGY_MIX)),
        one("last_updated", DateTime),
    ],
    rules: &[],
};

/// Prices with the conditions they hold under.
pub static TARIFF_ELEMENT: Structure = Structure {
    id: "OBJ-35",
    name: "TariffElement",
    fields: &[
        filled("price_components", Object(&PRICE_COMPONENT)),
        maybe("restrictions", Object(&TARIFF_RESTRICTIONS)),
    ],
    rules: rules::TARIFF_ELEMENT,
};

/// A price per something.
pub static PRICE_COMPONENT: Structure = Structure {
    id: "OBJ-36",
    name: "PriceComponent",
    fields: &[
        one("type", OneOf(&TARIFF_DIMENSION_TYPE)),
        one("price", Number),
        maybe("vat", Number),
        one("step_size", Integer),
    ],
    rules: &[],
};

/// The conditions.
pub static TARIFF_RESTRICTIONS: Structure = Structure {
    id: "OBJ-37",
    name: "TariffRestrictions",
    fields: &[
        maybe("start_time", Text(5)).like(&TIME_OF_DAY),
        maybe("end_time", Text(5)).like(&TIME_OF_DAY),
        maybe("start_date", Text(10)).like(&DATE),
        maybe("end_date", Text(10)).like(&DATE),
        maybe("min_kwh", Number),
        maybe("max_kwh", Number),
        maybe("min_current", Number),
        maybe("max_current", Number),
        maybe("min_power", Number),
        maybe("max_power", Number),
        maybe("min_duration", Integer),
        maybe("max_duration", Integer),
        list("day_of_week", OneOf(&DAY_OF_WEEK)),
        maybe("reservation", OneOf(&RESERVATION_RESTRICTION_TYPE)),
    ],
    rules: &[],
};

/// What a driver is known by.
pub static TOKEN: Structure = Structure {
    id: "OBJ-38",
    name: "Token",
    fields: &[
        one("country_code", CiString(2)).like(&ALPHA_2),
        one("party_id", CiString(3)),
        one("uid", CiString(36)),
        one("type", OneOf(&TOKEN_TYPE)),
        one("contract_id", CiString(36)),
        maybe("visual_number", Text(64)),
        one("issuer", Text(64)),
        maybe("group_id", CiString(36)),
        one("valid", Bool),
        one("whitelist", OneOf(&WHITELIST_TYPE)),
        maybe("language", Text(2)),
        maybe("default_profile_type", OneOf(&PROFILE_TYPE)),
        maybe("energy_contract", Object(&ENERGY_CONTRACT)),
        one("last_updated", DateTime),
    ],
    rules: &[],
};

/// Whose energy a driver buys.
pub static ENERGY_CONTRACT: Structure = Structure {
    id: "OBJ-39",
    name: "EnergyContract",
    fields: &[one("supplier_name", Text(64)), maybe("contract_id", Text(64))],
    rules: &[],
};

/// Whether a driver may charge.
pub static AUTHORIZATION_INFO: Structure = Structure {
    id: "OBJ-40",
    name: "AuthorizationInfo",
    fields: &[
        one("allowed", OneOf(&ALLOWED_TYPE)),
        one("token", Object(&TOKEN)),
        maybe("location", Object(&LOCATION_REFERENCES)),
        maybe("authorization_reference", CiString(36)),
        maybe("info", Object(&DISPLAY_TEXT)),
    ],
    rules: rules::AUTHORIZATION_INFO,
};

/// Where a driver wants to charge.
pub static LOCATION_REFERENCES: Structure = Structure {
    id: "OBJ-41",
    name: "LocationReferences",
    fields: &[one("location_id", CiString(36)), list("evse_uids", CiString(36))],
    rules: &[],
};

/// Command: forget a reservation.
pub static CANCEL_RESERVATION: Structure = Structure {
    id: "OBJ-42",
    name: "CancelReservation",
    fields: &[one("response_url", Url), one("reservation_id", CiString(36))],
    rules: &[],
};

/// Command: keep an EVSE free.
pub static RESERVE_NOW: Structure = Structure {
    id: "OBJ-43",
    name: "ReserveNow",
    fields: &[
        one("response_url", Url),
        one("token", Object(&TOKEN)),
        one("expiry_date", DateTime),
        one("reservation_id", CiString(36)),
        one("location_id", CiString(36)),
        maybe("evse_uid", CiString(36)),
        maybe("authorization_reference", CiString(36)),
    ],
    rules: &[],
};

/// Command: begin to charge.
pub static START_SESSION: Structure = Structure {
    id: "OBJ-44",
    name: "StartSession",
    fields: &[
        one("response_url", Url),
        one("token", Object(&TOKEN)),
        one("location_id", CiString(36)),
        maybe("evse_uid", CiString(36)),
        maybe("connector_id", CiString(36)),
        maybe("authorization_reference", CiString(36)),
    ],
    rules: rules::START_SESSION,
};

/// Command: end charging.
pub static STOP_SESSION: Structure = Structure {
    id: "OBJ-45",
    name: "StopSession",
    fields: &[one("response_url", Url), one("session_id", CiString(36))],
    rules: &[],
};

/// Command: let go of the plug.
pub static UNLOCK_CONNECTOR: Structure = Structure {
    id: "OBJ-46",
    name: "UnlockConnector",
    fields: &[
        one("response_url", Url),
        one("location_id", CiString(36)),
        one("evse_uid", CiString(36)),
        one("connector_id", CiString(36)),
    ],
    rules: &[],
};

/// The answer to a command, at once.
pub static COMMAND_RESPONSE: Structure = Structure {
    id: "OBJ-47",
    name: "CommandResponse",
    fields: &[
        one("result", OneOf(&COMMAND_RESPONSE_TYPE)),
        one("timeout", Integer),
        list("message", Object(&DISPLAY_TEXT)),
    ],
    rules: &[],
};

/// What became of a command, later.
pub static COMMAND_RESULT: Structure = Structure {
    id: "OBJ-48",
    name: "CommandResult",
    fields: &[
        one("result", OneOf(&COMMAND_RESULT_TYPE)),
        list("message", Object(&DISPLAY_TEXT)),
    ],
    rules: &[],
};

/// How fast to charge from now on.
pub static SET_CHARGING_PROFILE: Structure = Structure {
    id: "OBJ-49",
    name: "SetChargingProfile",
    fields: &[
        one("charging_profile", Object(&CHARGING_PROFILE)),
        one("response_url", Url),
    ],
    rules: &[],
};

/// Limits over time.
pub static CHARGING_PROFILE: Structure = Structure {
    id: "OBJ-50",
    name: "ChargingProfile",
    fields: &[
        maybe("start_date_time", DateTime),
        maybe("duration", Integer),
        one("charging_rate_unit", OneOf(&CHARGING_RATE_UNIT)),
        maybe("min_charging_rate", Number).like(&ONE_DECIMAL),
        list("charging_profile_period", Object(&CHARGING_PROFILE_PERIOD)),
    ],
    rules: &[],
};

/// One limit from a moment on.
pub static CHARGING_PROFILE_PERIOD: Structure = Structure {
    id: "OBJ-51",
    name: "ChargingProfilePeriod",
    fields: &[one("start_period", Integer), one("limit", Number).like(&ONE_DECIMAL)],
    rules: &[],
};

/// The limits in force.
pub static ACTIVE_CHARGING_PROFILE: Structure = Structure {
    id: "OBJ-52",
    name: "ActiveChargingProfile",
    fields: &[
        one("start_date_time", DateTime),
        one("charging_profile", Object(&CHARGING_PROFILE)),
    ],
    rules: &[],
};

/// The answer to a charging profile request, at once.
pub static CHARGING_PROFILE_RESPONSE: Structure = Structure {
    id: "OBJ-53",
    name: "ChargingProfileResponse",
    fields: &[
        one("result", OneOf(&CHARGING_PROFILE_RESPONSE_TYPE)),
        one("timeout", Integer),
    ],
    rules: &[],
};

/// The limits in force, later.
pub static ACTIVE_CHARGING_PROFILE_RESULT: Structure = Structure {
    id: "OBJ-54",
    name: "ActiveChargingProfileResult",
    fields: &[
        one("result", OneOf(&CHARGING_PROFILE_RESULT_TYPE)),
        maybe("profile", Object(&ACTIVE_CHARGING_PROFILE)),
    ],
    rules: rules::ACTIVE_CHARGING_PROFILE_RESULT,
};

/// What became of a new charging profile, later.
pub static CHARGING_PROFILE_RESULT: Structure = Structure {
    id: "OBJ-55",
    name: "ChargingProfileResult",
    fields: &[one("result", OneOf(&CHARGING_PROFILE_RESULT_TYPE))],
    rules: &[],
};

/// What became of the removal of a charging profile, later.
pub static CLEAR_PROFILE_RESULT: Structure = Structure {
    id: "OBJ-56",
    name: "ClearProfileResult",
    fields: &[one("result", OneOf(&CHARGING_PROFILE_RESULT_TYPE))],
    rules: &[],
};

/// All of them.
pub static STRUCTURES: [&Structure; 56] = [
    &ENVELOPE,
    &DISPLAY_TEXT,
    &PRICE,
    &VERSION,
    &VERSION_DETAILS,
    &ENDPOINT,
    &CREDENTIALS,
    &CREDENTIALS_ROLE,
    &CLIENT_INFO,
    &LOCATION,
    &EVSE,
    &CONNECTOR,
    &GEO_LOCATION,
    &ADDITIONAL_GEO_LOCATION,
    &BUSINESS_DETAILS,
    &IMAGE,
    &HOURS,
    &REGULAR_HOURS,
    &EXCEPTIONAL_PERIOD,
    &STATUS_SCHEDULE,
    &ENERGY_MIX,
    &ENERGY_SOURCE,
    &ENVIRONMENTAL_IMPACT,
    &PUBLISH_TOKEN_TYPE,
    &SESSION,
    &CHARGING_PREFERENCES,
    &CDR,
    &CDR_LOCATION,
    &CDR_TOKEN,
    &CHARGING_PERIOD,
    &CDR_DIMENSION,
    &SIGNED_DATA,
    &SIGNED_VALUE,
    &TARIFF,
    &TARIFF_ELEMENT,
    &PRICE_COMPONENT,
    &TARIFF_RESTRICTIONS,
    &TOKEN,
    &ENERGY_CONTRACT,
    &AUTHORIZATION_INFO,
    &LOCATION_REFERENCES,
    &CANCEL_RESERVATION,
    &RESERVE_NOW,
    &START_SESSION,
    &STOP_SESSION,
    &UNLOCK_CONNECTOR,
    &COMMAND_RESPONSE,
    &COMMAND_RESULT,
    &SET_CHARGING_PROFILE,
    &CHARGING_PROFILE,
    &CHARGING_PROFILE_PERIOD,
    &ACTIVE_CHARGING_PROFILE,
    &CHARGING_PROFILE_RESPONSE,
    &ACTIVE_CHARGING_PROFILE_RESULT,
    &CHARGING_PROFILE_RESULT,
    &CLEAR_PROFILE_RESULT,
];
