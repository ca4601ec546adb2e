//! Everything that can be said about a record, a session or a bill, by name.
//!
//! A finding either disproves, or says why nothing can be proven, or remarks. The outcome of an examination is nothing but the worst of its
//! findings ([`Outcome::of`]): there is no second place where a verdict is made. Names and meanings: signed-metering-formats.md section 20
//! and key-registry.md 4.6.

use std::fmt;

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Good to know.
    Info,
    /// Somebody should look, the outcome does not change.
    Warning,
    /// Decides the outcome.
    Error,
}

impl Severity {
    /// `INFO`, `WARNING` or `ERROR`.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Info => "INFO",
            Severity::Warning => "WARNING",
            Severity::Error => "ERROR",
        }
    }

    /// Reads the names of [`Severity::as_str`], in any letter case.
    pub fn from_name(name: &str) -> Option<Severity> {
        [Severity::Info, Severity::Warning, Severity::Error]
            .into_iter()
            .find(|s| s.as_str().eq_ignore_ascii_case(name))
    }
}

/// What a code says when nobody configured otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Weight {
    /// Proven wrong, whatever anybody configures: signatures and keys.
    Wrong,
    /// Wrong by default; an operator may lower it.
    Implausible,
    /// Nothing proven, nothing disproven.
    Undecidable,
    /// A warning by default; an operator may raise it.
    Remark,
    /// Information only.
    Note,
}

/// One table, so that name, weight and the order of the documentation cannot drift apart.
macro_rules! codes {
    ($($code:ident $name:literal $weight:ident $meaning:literal;)*) => {
        /// The name of a finding. Each is written as in signed-metering-formats.md section 20, in upper case.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Code { $(#[doc = $meaning] $code,)* }

        impl Code {
            /// Every code there is.
            pub const ALL: &'static [Code] = &[$(Code::$code,)*];

            /// The name as it stands in verdicts.
            pub fn as_str(self) -> &'static str {
                match self { $(Code::$code => $name,)* }
            }

            fn weight(self) -> Weight {
                match self { $(Code::$code => Weight::$weight,)* }
            }
        }
    };
}

codes! {
    // The signature and its record.
    MalformedRecord "MALFORMED_RECORD" Wrong "The record does not have the form its format prescribes.";
    SignatureMalformed "SIGNATURE_MALFORMED" Wrong "The signature cannot be read.";
    SignatureOutOfRange "SIGNATURE_OUT_OF_RANGE" Wrong "r or s is not between 1 and the order of the curve.";
    SignatureMismatch "SIGNATURE_MISMATCH" Wrong "The signature does not fit these bytes under this key.";
    // Keys.
    PublicKeyConflict "PUBLIC_KEY_CONFLICT" Wrong "Two keys came along and contradict each other.";
    KeyConflict "KEY_CONFLICT" Wrong "The key that came along is not the anchored one.";
    KeyChanged "KEY_CHANGED" Wrong "The records of one session were signed with different keys.";
    KeyForOtherEvse "KEY_FOR_OTHER_EVSE" Wrong "The key is registered, but for another EVSE.";
    KeyForOtherCpo "KEY_FOR_OTHER_CPO" Wrong "The key is registered, but for another operator.";
    KeyForOtherMeter "KEY_FOR_OTHER_METER" Wrong "The key is registered for this EVSE, but with another meter than the record names.";
    KeyDeactivatedAtTime "KEY_DEACTIVATED_AT_TIME" Wrong "The registration of the key did not hold at charging time.";
    KeyChangedDuringSession "KEY_CHANGED_DURING_SESSION" Wrong "Another key was registered at the end than at the begin.";
    ReplayedRecord "REPLAYED_RECORD" Wrong "The signed block already serves another bill.";
    // Why nothing can be decided.
    NoPublicKey "NO_PUBLIC_KEY" Undecidable "No key came along and none is known.";
    PublicKeyUnreadable "PUBLIC_KEY_UNREADABLE" Undecidable "The text of the key is not a key.";
    PublicKeyNotOnCurve "PUBLIC_KEY_NOT_ON_CURVE" Undecidable "The point is not on its curve.";
    KeyAlgorithmMismatch "KEY_ALGORITHM_MISMATCH" Undecidable "The key is of another curve than the record names.";
    UnsupportedAlgorithm "UNSUPPORTED_ALGORITHM" Undecidable "The algorithm cannot be checked here.";
    UnsupportedFormat "UNSUPPORTED_FORMAT" Undecidable "The format is known by name and cannot be read yet.";
    SealedData "SEALED_DATA" Undecidable "The data is sealed; it needs key material of its own.";
    UnsupportedEncodingMethod "UNSUPPORTED_ENCODING_METHOD" Undecidable "Neither the label nor the content is of a known format.";
    UndecodableSignedData "UNDECODABLE_SIGNED_DATA" Undecidable "No record can be unwrapped from what was sent.";
    NoSignedData "NO_SIGNED_DATA" Undecidable "There is nothing signed to look at.";
    MixedFormats "MIXED_FORMATS" Undecidable "The records of one session are of different formats.";
    // One record.
    ReadingUnreadable "READING_UNREADABLE" Wrong "A billed reading is not a number that can be kept exactly.";
    EnergyErrorFlag "ENERGY_ERROR_FLAG" Implausible "The meter calls the energy unusable.";
    MeterStatusNotOk "METER_STATUS_NOT_OK" Implausible "The meter reports an error.";
    IdLevelError "ID_LEVEL_ERROR" Implausible "The assignment of the user failed.";
    ExceptionMarker "EXCEPTION_MARKER" Implausible "The meter marks an exception: readings from there on are not usable.";
    NoBillingRegister "NO_BILLING_REGISTER" Implausible "No reading belongs to an energy register that may be billed.";
    BillingNotValid "BILLING_NOT_VALID" Implausible "The meter says that the record must not be billed.";
    FinalDataMissing "FINAL_DATA_MISSING" Implausible "The final reading is missing from the record.";
    NotFinalRecord "NOT_FINAL_RECORD" Implausible "The record was made while charging was still going on.";
    TypeFlagMismatch "TYPE_FLAG_MISMATCH" Implausible "The unsigned type contradicts the signed flags.";
    MeterReadingMismatch "METER_READING_MISMATCH" Implausible "A displayed copy differs from the signed reading.";
    PlainDataMismatch "PLAIN_DATA_MISMATCH" Implausible "The readable copy differs from the signed payload.";
    NatureMismatch "NATURE_MISMATCH" Implausible "The label of the value contradicts what the record holds.";
    // One session.
    MeterWentBackwards "METER_WENT_BACKWARDS" Implausible "A later reading is lower.";
    TimeWentBackwards "TIME_WENT_BACKWARDS" Implausible "The end lies before the begin.";
    MultipleBegin "MULTIPLE_BEGIN" Implausible "More than one begin reading.";
    MultipleEnd "MULTIPLE_END" Implausible "More than one end reading.";
    MissingBegin "MISSING_BEGIN" Implausible "No begin reading.";
    MissingEnd "MISSING_END" Implausible "No end reading.";
    EventCounterChanged "EVENT_COUNTER_CHANGED" Implausible "Something happened to the meter during the session.";
    TimeSyncInconsistent "TIME_SYNC_INCONSISTENT" Implausible "The begin counts relative time, the end does not.";
    SerialChanged "SERIAL_CHANGED" Implausible "The records name different meters.";
    PaginationNotIncreasing "PAGINATION_NOT_INCREASING" Implausible "A later record has no higher number.";
    PaginationContextChanged "PAGINATION_CONTEXT_CHANGED" Implausible "The records count in different series.";
    ContractChanged "CONTRACT_CHANGED" Implausible "The records name different users.";
    LogbookChanged "LOGBOOK_CHANGED" Implausible "An entry was made in the meter's logbook during the session.";
    SessionIdChanged "SESSION_ID_CHANGED" Implausible "The records belong to different sessions.";
    AdapterChanged "ADAPTER_CHANGED" Implausible "The records were made by different adapters.";
    RegisterMismatch "REGISTER_MISMATCH" Implausible "Begin and end are of different registers.";
    DuplicateRecord "DUPLICATE_RECORD" Implausible "The same record stands twice.";
    // The bill.
    EnergyMismatch "ENERGY_MISMATCH" Implausible "The billed energy is not the signed one.";
    StartTimeMismatch "START_TIME_MISMATCH" Implausible "The bill begins at another time than the record.";
    EndTimeMismatch "END_TIME_MISMATCH" Implausible "The bill ends at another time than the record.";
    EvseMismatch "EVSE_MISMATCH" Implausible "The record names another EVSE.";
    MeterIdMismatch "METER_ID_MISMATCH" Remark "The record names another meter.";
    ContractMismatch "CONTRACT_MISMATCH" Remark "The record names another identification.";
    CreditReferenceUnknown "CREDIT_REFERENCE_UNKNOWN" Remark "The bill takes back another one that is not known.";
    SignedDataMissing "SIGNED_DATA_MISSING" Wrong "The EVSE is registered as calibrated, but nothing signed came.";
    // Remarks.
    TimeNotSynchronised "TIME_NOT_SYNCHRONISED" Remark "The meter does not vouch for its clock.";
    TimeErrorFlag "TIME_ERROR_FLAG" Remark "The meter calls the time unusable for time tariffs.";
    TimeNotComparable "TIME_NOT_COMPARABLE" Remark "The signed time cannot be held against the bill.";
    MeterStatusMissing "METER_STATUS_MISSING" Remark "The meter says nothing about its state.";
    UnitNotEnergy "UNIT_NOT_ENERGY" Remark "An energy register comes in another unit.";
    PaginationGap "PAGINATION_GAP" Remark "Another record was made in between.";
    PhaseFailure "PHASE_FAILURE" Remark "A phase failed.";
    MeterClockError "METER_CLOCK_ERROR" Remark "The meter reports a fault of its clock.";
    TransportCrcWrong "TRANSPORT_CRC_WRONG" Remark "The transport checksum is wrong, the signature is not.";
    EncodingMethodMislabelled "ENCODING_METHOD_MISLABELLED" Remark "The label names another format than the content.";
    KeyNotRegistered "KEY_NOT_REGISTERED" Remark "The key is only the word of whoever sent the record.";
    KeyNotYetConfirmed "KEY_NOT_YET_CONFIRMED" Remark "The key is submitted for this EVSE, and the registry has not confirmed it.";
    ConformityWaived "CONFORMITY_WAIVED" Note "The payer's provider does without conformity for this customer.";
    KeySelfAsserted "KEY_SELF_ASSERTED" Note "The key came inside the record.";
    KeyLaterPublished "VERIFIED_KEY_LATER_PUBLISHED" Note "The key was valid at charging time and registered afterwards.";
}

impl Code {
    /// The severity unless somebody configured another.
    pub fn severity(self) -> Severity {
        match self.weight() {
            Weight::Wrong | Weight::Implausible | Weight::Undecidable => Severity::Error,
            Weight::Remark => Severity::Warning,
            Weight::Note => Severity::Info,
        }
    }

    /// Whether configuration may give it another severity. What is cryptographically wrong, or undecidable, stays so.
    pub fn is_adjustable(self) -> bool {
        matches!(self.weight(), Weight::Implausible | Weight::Remark | Weight::Note)
    }

    /// Whether it says "cannot be decided" instead of "wrong".
    pub fn is_undecidable(self) -> bool {
        self.weight() == Weight::Undecidable
    }

    /// Reads the names of [`Code::as_str`], in any letter case.
    pub fn from_name(name: &str) -> Option<Code> {
        Code::ALL
            .iter()
            .copied()
            .find(|code| code.as_str().eq_ignore_ascii_case(name))
    }
}

impl fmt::Display for Code {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

/// What a finding is about. This room does not know how the caller's document is built; the caller turns places into pointers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Place {
    /// The session as a whole.
    Session,
    /// The record at this index of the list that was examined.
    Record(usize),
    /// The readable copy beside that record.
    PlainData(usize),
    /// The label of that record.
    Nature(usize),
    /// The name of the format.
    Label,
    /// The key that came along.
    Key,
    /// The energy of the bill.
    BilledEnergy,
    /// The begin of the bill.
    BilledStart,
    /// The end of the bill.
    BilledEnd,
    /// The EVSE of the bill.
    BilledEvse,
    /// The meter of the bill.
    BilledMeter,
    /// Who is to pay.
    BilledPayer,
}

/// One thing that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Its name.
    pub code: Code,
    /// How much it matters.
    pub severity: Severity,
    /// What it is about.
    pub place: Place,
    /// A sentence for people. Never contains identifications of drivers.
    pub message: String,
}

impl Finding {
    /// A finding of the code's own severity.
    pub fn new(code: Code, place: Place, message: impl Into<String>) -> Finding {
        Finding {
            code,
            severity: code.severity(),
            place,
            message: message.into(),
        }
    }
}

/// The outcome over all findings: signed-metering-formats.md section 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// Signatures fit and nothing contradicts.
    Valid,
    /// Nothing was proven and nothing disproven.
    Unverifiable,
    /// Disproven.
    Invalid,
}

impl Outcome {
    /// One error that disproves beats one that leaves open, and that beats everything else.
    pub fn of<'f>(findings: impl IntoIterator<Item = &'f Finding>) -> Outcome {
        findings
            .into_iter()
            .filter(|finding| finding.severity == Severity::Error)
            .map(|finding| {
                if finding.code.is_undecidable() {
                    Outcome::Unverifiable
                } else {
                    Outcome::Invalid
                }
            })
            .max()
            .unwrap_or(Outcome::Valid)
    }

    /// `VALID`, `UNVERIFIABLE` or `INVALID`.
    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::Valid => "VALID",
            Outcome::Unverifiable => "UNVERIFIABLE",
            Outcome::Invalid => "INVALID",
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn invalid_beats_unverifiable_and_unverifiable_beats_valid() {
        let finding = |code| Finding::new(code, Place::Session, "");
        assert_eq!(Outcome::of(&[]), Outcome::Valid);
        assert_eq!(Outcome::of(&[finding(Code::PaginationGap)]), Outcome::Valid);
        assert_eq!(
            Outcome::of(&[finding(Code::PaginationGap), finding(Code::NoPublicKey)]),
            Outcome::Unverifiable
        );
        assert_eq!(
            Outcome::of(&[finding(Code::SignatureMismatch), finding(Code::NoPublicKey)]),
            Outcome::Invalid
        );
    }

    #[test]
    fn every_code_has_a_name_of_its_own() {
        for code in Code::ALL {
            assert_eq!(Code::from_name(&code.as_str().to_lowercase()), Some(*code));
        }
    }

    #[test]
    fn a_wrong_signature_cannot_be_configured_away() {
        assert!(!Code::SignatureMismatch.is_adjustable());
        assert!(!Code::KeyConflict.is_adjustable());
        assert!(!Code::NoPublicKey.is_adjustable());
        assert!(Code::ContractMismatch.is_adjustable());
    }
}
