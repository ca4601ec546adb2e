//! Departures from the text of a format that real meters make: cited, counted, not fatal.
//!
//! A deviation never touches a signed octet and never makes a wrong record right; it only keeps a genuine record from being refused for its
//! handwriting. Sources: signed-metering-formats.md sections 4, 5 and 18.

/// One departure from the text of the format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Deviation {
    /// `FV` is absent. Optional in the specification; some verifiers refuse it.
    VersionAbsent,
    /// `FV` is a number. ChargePoint.
    VersionAsNumber,
    /// `FV` is newer than any published revision: the signature can be checked, the meaning of new members is unknown.
    VersionFromTheFuture,
    /// `MS` is absent or empty although mandatory; `GS` identifies. Nine of ten real records.
    MeterSerialAbsent,
    /// A member that should be text is a number.
    NumberInsteadOfText,
    /// `RV` is a string, perhaps padded with blanks. DZG meters behind "Nano CH".
    ValueAsText,
    /// A `|` inside a string of the payload. Forbidden by the specification, real tariff texts have it.
    PipeInsidePayload,
    /// A fourth section, from a withdrawn draft; it is unsigned and ignored.
    FourthSection,
    /// `SA` in a spelling that is not in the table: `brainpoolP256r1`, other letter case.
    AlgorithmSpelling,
    /// `SM` names another type than DER; it is unsigned, the signature itself decides.
    SignatureTypeUnknown,
    /// The signature is bare r‖s instead of DER. Isabellenhütte.
    BareSignature,
    /// The integers of the signature are padded to a fixed width. eBZ LD3.
    PaddedSignature,
    /// An integer of the signature lacks the octet that keeps it positive. eBZ LD3.
    NegativeSignature,
    /// `PG` is not a letter and a number: no rule on pagination can hold.
    PaginationUnreadable,
    /// `TM` of a reading is not a time.
    TimeUnreadable,
    /// The unsigned version beside a record is not one that is seen in the field. Alfen.
    OuterVersion,
}

impl Deviation {
    /// The departure in a sentence.
    pub fn sentence(self) -> &'static str {
        match self {
            Deviation::VersionAbsent => "the record does not say which version of OCMF it follows (FV)",
            Deviation::VersionAsNumber => "the version (FV) is written as a number instead of text",
            Deviation::VersionFromTheFuture => "the version (FV) is newer than any published one",
            Deviation::MeterSerialAbsent => {
                "the serial number of the meter (MS) is missing; the gateway's (GS) identifies it"
            }
            Deviation::NumberInsteadOfText => "a member that should be text is written as a number",
            Deviation::ValueAsText => "a reading (RV) is written as text instead of a number",
            Deviation::PipeInsidePayload => "the payload contains the character that separates sections",
            Deviation::FourthSection => "an unsigned fourth section follows the signature and is ignored",
            Deviation::AlgorithmSpelling => "the algorithm (SA) is spelled differently than in the specification",
            Deviation::SignatureTypeUnknown => "the type of the signature (SM) is unknown and was ignored",
            Deviation::BareSignature => "the signature is written as two bare numbers instead of DER",
            Deviation::PaddedSignature => "the numbers of the signature are padded",
            Deviation::NegativeSignature => "a number of the signature reads as negative and was taken as positive",
            Deviation::PaginationUnreadable => "the record number (PG) is not a letter and a number",
            Deviation::TimeUnreadable => "a time (TM) cannot be read",
            Deviation::OuterVersion => "the unsigned version of the record is not one that is known",
        }
    }
}
