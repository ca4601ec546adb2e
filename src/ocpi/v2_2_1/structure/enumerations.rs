//! The enumerations of 2.2.1 (checklist 1.20), in the checklist's order. A value that is not here is a warning and travels on (T-41).

use super::grammar::Enumeration;

/// How a driver was authorised.
pub static AUTH_METHOD: Enumeration = Enumeration {
    id: "ENUM-01",
    name: "AuthMethod",
    values: &["AUTH_REQUEST", "COMMAND", "WHITELIST"],
    open: false,
};

/// What a charging period measures.
pub static CDR_DIMENSION_TYPE: Enumeration = Enumeration {
    id: "ENUM-02",
    name: "CdrDimensionType",
    values: &[
        "CURRENT",
        "ENERGY",
        "ENERGY_EXPORT",
        "ENERGY_IMPORT",
        "MAX_CURRENT",
        "MIN_CURRENT",
        "MAX_POWER",
        "MIN_POWER",
        "PARKING_TIME",
        "POWER",
        "RESERVATION_TIME",
        "STATE_OF_CHARGE",
        "TIME",
    ],
    open: false,
};

/// What a charging profile limits.
pub static CHARGING_RATE_UNIT: Enumeration = Enumeration {
    id: "ENUM-03",
    name: "ChargingRateUnit",
    values: &["W", "A"],
    open: false,
};

/// The answer to a charging profile request, at once.
pub static CHARGING_PROFILE_RESPONSE_TYPE: Enumeration = Enumeration {
    id: "ENUM-04",
    name: "ChargingProfileResponseType",
    values: &["ACCEPTED", "NOT_SUPPORTED", "REJECTED", "TOO_OFTEN", "UNKNOWN_SESSION"],
    open: false,
};

/// What became of a charging profile request, later.
pub static CHARGING_PROFILE_RESULT_TYPE: Enumeration = Enumeration {
    id: "ENUM-05",
    name: "ChargingProfileResultType",
    values: &["ACCEPTED", "REJECTED", "UNKNOWN"],
    open: false,
};

/// The answer to a command, at once.
pub static COMMAND_RESPONSE_TYPE: Enumeration = Enumeration {
    id: "ENUM-06",
    name: "CommandResponseType",
    values: &["NOT_SUPPORTED", "REJECTED", "ACCEPTED", "UNKNOWN_SESSION"],
    open: false,
};

/// What became of a command, later.
pub static COMMAND_RESULT_TYPE: Enumeration = Enumeration {
    id: "ENUM-07",
    name: "CommandResultType",
    values: &[
        "ACCEPTED",
        "CANCELED_RESERVATION",
        "EVSE_OCCUPIED",
        "EVSE_INOPERATIVE",
        "FAILED",
        "NOT_SUPPORTED",
        "REJECTED",
        "TIMEOUT",
        "UNKNOWN_RESERVATION",
    ],
    open: false,
};

/// The commands.
pub static COMMAND_TYPE: Enumeration = Enumeration {
    id: "ENUM-08",
    name: "CommandType",
    values: &[
        "CANCEL_RESERVATION",
        "RESERVE_NOW",
        "START_SESSION",
        "STOP_SESSION",
        "UNLOCK_CONNECTOR",
    ],
    open: false,
};

/// Whether a party can be reached.
pub static CONNECTION_STATUS: Enumeration = Enumeration {
    id: "ENUM-09",
    name: "ConnectionStatus",
    values: &["CONNECTED", "OFFLINE", "PLANNED", "SUSPENDED"],
    open: false,
};

/// What an EVSE can do.
pub static CAPABILITY: Enumeration = Enumeration {
    id: "ENUM-10",
    name: "Capability",
    values: &[
        "CHARGING_PROFILE_CAPABLE",
        "CHARGING_PREFERENCES_CAPABLE",
        "CHIP_CARD_SUPPORT",
        "CONTACTLESS_CARD_SUPPORT",
        "CREDIT_CARD_PAYABLE",
        "DEBIT_CARD_PAYABLE",
        "PED_TERMINAL",
        "REMOTE_START_STOP_CAPABLE",
        "RESERVABLE",
        "RFID_READER",
        "START_SESSION_CONNECTOR_REQUIRED",
        "TOKEN_GROUP_CAPABLE",
        "UNLOCK_CAPABLE",
    ],
    open: false,
};

/// Who brings the cable.
pub static CONNECTOR_FORMAT: Enumeration = Enumeration {
    id: "ENUM-11",
    name: "ConnectorFormat",
    values: &["SOCKET", "CABLE"],
    open: false,
};

/// Which plug.
pub static CONNECTOR_TYPE: Enumeration = Enumeration {
    id: "ENUM-12",
    name: "ConnectorType",
    values: &[
        "CHADEMO",
        "CHAOJI",
        "DOMESTIC_A",
        "DOMESTIC_B",
        "DOMESTIC_C",
        "DOMESTIC_D",
        "DOMESTIC_E",
        "DOMESTIC_F",
        "DOMESTIC_G",
        "DOMESTIC_H",
        "DOMESTIC_I",
        "DOMESTIC_J",
        "DOMESTIC_K",
        "DOMESTIC_L",
        "DOMESTIC_M",
        "DOMESTIC_N",
        "DOMESTIC_O",
        "GBT_AC",
        "GBT_DC",
        "IEC_60309_2_single_16",
        "IEC_60309_2_three_16",
        "IEC_60309_2_three_32",
        "IEC_60309_2_three_64",
        "IEC_62196_T1",
        "IEC_62196_T1_COMBO",
        "IEC_62196_T2",
        "IEC_62196_T2_COMBO",
        "IEC_62196_T3A",
        "IEC_62196_T3C",
        "NEMA_5_20",
        "NEMA_6_30",
        "NEMA_6_50",
        "NEMA_10_30",
        "NEMA_10_50",
        "NEMA_14_30",
        "NEMA_14_50",
        "PANTOGRAPH_BOTTOM_UP",
        "PANTOGRAPH_TOP_DOWN",
        "TESLA_R",
        "TESLA_S",
    ],
    open: false,
};

/// Where energy comes from.
pub static ENERGY_SOURCE_CATEGORY: Enumeration = Enumeration {
    id: "ENUM-13",
    name: "EnergySourceCategory",
    values: &[
        "NUCLEAR",
        "GENERAL_FOSSIL",
        "COAL",
        "GAS",
        "GENERAL_GREEN",
        "SOLAR",
        "WIND",
        "WATER",
    ],
    open: false,
};

/// What energy leaves behind.
pub static ENVIRONMENTAL_IMPACT_CATEGORY: Enumeration = Enumeration {
    id: "ENUM-14",
    name: "EnvironmentalImpactCategory",
    values: &["NUCLEAR_WASTE", "CARBON_DIOXIDE"],
    open: false,
};

/// What is nearby.
pub static FACILITY: Enumeration = Enumeration {
    id: "ENUM-15",
    name: "Facility",
    values: &[
        "HOTEL",
        "RESTAURANT",
        "CAFE",
        "MALL",
        "SUPERMARKET",
        "SPORT",
        "RECREATION_AREA",
        "NATURE",
        "MUSEUM",
        "BIKE_SHARING",
        "BUS_STOP",
        "TAXI_STAND",
        "TRAM_STOP",
        "METRO_STATION",
        "TRAIN_STATION",
        "AIRPORT",
        "PARKING_LOT",
        "CARPOOL_PARKING",
        "FUEL_STATION",
        "WIFI",
    ],
    open: false,
};

/// What an image shows.
pub static IMAGE_CATEGORY: Enumeration = Enumeration {
    id: "ENUM-16",
    name: "ImageCategory",
    values: &[
        "CHARGER", "ENTRANCE", "LOCATION", "NETWORK", "OPERATOR", "OTHER", "OWNER",
    ],
    open: false,
};

/// Who may park.
pub static PARKING_RESTRICTION: Enumeration = Enumeration {
    id: "ENUM-17",
    name: "ParkingRestriction",
    values: &["EV_ONLY", "PLUGGED", "DISABLED", "CUSTOMERS", "MOTORCYCLES"],
    open: false,
};

/// Where a location is.
pub static PARKING_TYPE: Enumeration = Enumeration {
    id: "ENUM-18",
    name: "ParkingType",
    values: &[
        "ALONG_MOTORWAY",
        "PARKING_GARAGE",
        "PARKING_LOT",
        "ON_DRIVEWAY",
        "ON_STREET",
        "UNDERGROUND_GARAGE",
    ],
    open: false,
};

/// Which current.
pub static POWER_TYPE: Enumeration = Enumeration {
    id: "ENUM-19",
    name: "PowerType",
    values: &["AC_1_PHASE", "AC_2_PHASE", "AC_2_PHASE_SPLIT", "AC_3_PHASE", "DC"],
    open: false,
};

/// How an EVSE is.
pub static STATUS: Enumeration = Enumeration {
    id: "ENUM-20",
    name: "Status",
    values: &[
        "AVAILABLE",
        "BLOCKED",
        "CHARGING",
        "INOPERATIVE",
        "OUTOFORDER",
        "PLANNED",
        "REMOVED",
        "RESERVED",
        "UNKNOWN",
    ],
    open: false,
};

/// The answer to a driver's wishes.
pub static CHARGING_PREFERENCES_RESPONSE: Enumeration = Enumeration {
    id: "ENUM-21",
    name: "ChargingPreferencesResponse",
    values: &[
        "ACCEPTED",
        "DEPARTURE_REQUIRED",
        "ENERGY_NEED_REQUIRED",
        "NOT_POSSIBLE",
        "PROFILE_TYPE_NOT_SUPPORTED",
    ],
    open: false,
};

/// What a driver prefers.
pub static PROFILE_TYPE: Enumeration = Enumeration {
    id: "ENUM-22",
    name: "ProfileType",
    values: &["CHEAP", "FAST", "GREEN", "REGULAR"],
    open: false,
};

/// How a session is.
pub static SESSION_STATUS: Enumeration = Enumeration {
    id: "ENUM-23",
    name: "SessionStatus",
    values: &["ACTIVE", "COMPLETED", "INVALID", "PENDING", "RESERVATION"],
    open: false,
};

/// The days.
pub static DAY_OF_WEEK: Enumeration = Enumeration {
    id: "ENUM-24",
    name: "DayOfWeek",
    values: &[
        "MONDAY",
        "TUESDAY",
        "WEDNESDAY",
        "THURSDAY",
        "FRIDAY",
        "SATURDAY",
        "SUNDAY",
    ],
    open: false,
};

/// Which part of a reservation a price is for.
pub static RESERVATION_RESTRICTION_TYPE: Enumeration = Enumeration {
    id: "ENUM-25",
    name: "ReservationRestrictionType",
    values: &["RESERVATION", "RESERVATION_EXPIRES"],
    open: false,
};

/// What a price is per.
pub static TARIFF_DIMENSION_TYPE: Enumeration = Enumeration {
    id: "ENUM-26",
    name: "TariffDimensionType",
    values: &["ENERGY", "FLAT", "PARKING_TIME", "TIME"],
    open: false,
};

/// When a tariff applies.
pub static TARIFF_TYPE: Enumeration = Enumeration {
    id: "ENUM-27",
    name: "TariffType",
    values: &[
        "AD_HOC_PAYMENT",
        "PROFILE_CHEAP",
        "PROFILE_FAST",
        "PROFILE_GREEN",
        "REGULAR",
    ],
    open: false,
};

/// Whether a driver may charge.
pub static ALLOWED_TYPE: Enumeration = Enumeration {
    id: "ENUM-28",
    name: "AllowedType",
    values: &["ALLOWED", "BLOCKED", "EXPIRED", "NO_CREDIT", "NOT_ALLOWED"],
    open: false,
};

/// What a token is.
pub static TOKEN_TYPE: Enumeration = Enumeration {
    id: "ENUM-29",
    name: "TokenType",
    values: &["AD_HOC_USER", "APP_USER", "OTHER", "RFID"],
    open: false,
};

/// When a token may be trusted without asking.
pub static WHITELIST_TYPE: Enumeration = Enumeration {
    id: "ENUM-30",
    name: "WhitelistType",
    values: &["ALWAYS", "ALLOWED", "ALLOWED_OFFLINE", "NEVER"],
    open: false,
};

/// What a party is.
pub static ROLE: Enumeration = Enumeration {
    id: "ENUM-31",
    name: "Role",
    values: &["CPO", "EMSP", "HUB", "NAP", "NSP", "OTHER", "SCSP"],
    open: false,
};

/// Which side of a module.
pub static INTERFACE_ROLE: Enumeration = Enumeration {
    id: "ENUM-32",
    name: "InterfaceRole",
    values: &["SENDER", "RECEIVER"],
    open: false,
};

/// The versions.
pub static VERSION_NUMBER: Enumeration = Enumeration {
    id: "ENUM-33",
    name: "VersionNumber",
    values: &["2.0", "2.1", "2.1.1", "2.2", "2.2.1"],
    open: false,
};

/// The modules; parties may agree on more (U-09).
pub static MODULE_ID: Enumeration = Enumeration {
    id: "ENUM-34",
    name: "ModuleID",
    values: &[
        "cdrs",
        "chargingprofiles",
        "commands",
        "credentials",
        "hubclientinfo",
        "locations",
        "sessions",
        "tariffs",
        "tokens",
    ],
    open: true,
};

/// All of them.
pub static ENUMERATIONS: [&Enumeration; 34] = [
    &AUTH_METHOD,
    &CDR_DIMENSION_TYPE,
    &CHARGING_RATE_UNIT,
    &CHARGING_PROFILE_RESPONSE_TYPE,
    &CHARGING_PROFILE_RESULT_TYPE,
    &COMMAND_RESPONSE_TYPE,
    &COMMAND_RESULT_TYPE,
    &COMMAND_TYPE,
    &CONNECTION_STATUS,
    &CAPABILITY,
    &CONNECTOR_FORMAT,
    &CONNECTOR_TYPE,
    &ENERGY_SOURCE_CATEGORY,
    &ENVIRONMENTAL_IMPACT_CATEGORY,
    &FACILITY,
    &IMAGE_CATEGORY,
    &PARKING_RESTRICTION,
    &PARKING_TYPE,
    &POWER_TYPE,
    &STATUS,
    &CHARGING_PREFERENCES_RESPONSE,
    &PROFILE_TYPE,
    &SESSION_STATUS,
    &DAY_OF_WEEK,
    &RESERVATION_RESTRICTION_TYPE,
    &TARIFF_DIMENSION_TYPE,
    &TARIFF_TYPE,
    &ALLOWED_TYPE,
    &TOKEN_TYPE,
    &WHITELIST_TYPE,
    &ROLE,
    &INTERFACE_ROLE,
    &VERSION_NUMBER,
    &MODULE_ID,
];
