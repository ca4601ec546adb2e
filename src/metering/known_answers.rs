//! One signature per supported curve, made by OpenSSL 3.0 with throw-away keys over [`BLOCK`], each with a high s.
//!
//! Somebody else's signatures, so that arithmetic that is wrong both ways round is noticed.

use sha2::{Digest, Sha256};

use super::curves::Curve;

/// What was signed.
const BLOCK: &[u8] = b"One kilowatt-hour, and the proof of it.";

/// A signature that fits.
pub(crate) struct KnownAnswer {
    pub(crate) curve: Curve,
    /// SPKI in hex.
    pub(crate) key: &'static str,
    /// DER in hex.
    pub(crate) signature: &'static str,
}

impl KnownAnswer {
    /// SHA-256 of the block.
    pub(crate) fn digest(&self) -> [u8; 32] {
        Sha256::digest(BLOCK).into()
    }
}

/// In the order of [`Curve::SUPPORTED`].
pub(crate) const KNOWN_ANSWERS: [KnownAnswer; 7] = [
    KnownAnswer {
        curve: Curve::Secp192k1,
        key: "3046301006072a8648ce3d020106052b8104001f033200046092646b696112e74edf320715a60dfe8721fa4b38dc0aa30552a130e3927306eb336685ff61584f913035c16a01868a",
        signature: "3036021900c2b814fa5414e42fae294f4d6007a36e0ce30cd2a7e59add021900c242990704d0e0316b93fe3d90762e9839fd750b4e4cee09",
    },
    KnownAnswer {
        curve: Curve::Secp192r1,
        key: "3049301306072a8648ce3d020106082a8648ce3d030101033200045241002841db25b1744912a177df176ce99196cdba8fdc27ec95d3f83147b7ee1383627e033f61776fb7de43869b751b",
        signature: "3036021900f631ca2042b26413f28187e629e80dc88407e682528640d4021900f80b557077a5f329e5fc2655ec8aa2bac767c87237d9939c",
    },
    KnownAnswer {
        curve: Curve::Secp256k1,
        key: "3056301006072a8648ce3d020106052b8104000a034200045093037e7a1297b88c8e03d73bbb73bf0a0642afedfb24a8d48111f7eb124c387cf7226fe32bb6a912e676b9e7e4084e24f897995c469fbd31b2e661391f9d98",
        signature: "3046022100e47822e654e92623e0a37cbd61b2eee7474271e1bd0a080380cd0356240d1d99022100b9277c92d0b6c24587f737f95940354c69cbb7167942a734cd1d4c5a6380fbba",
    },
    KnownAnswer {
        curve: Curve::Secp256r1,
        key: "3059301306072a8648ce3d020106082a8648ce3d030107034200048a749affb60d2d89a14f2060ed7e616cb33e3f3466a5ffddc8850c4f5f9577c51a369e4be263147e9e629b0e08044ec371835d43b89b8ddf6b9ba2486467d241",
        signature: "3046022100f09f9ab87040053efd187023b4f017c2922a2ecbada1d707c6a2fbc328c7b359022100d75062d5b22e51325f132b6f87566503e8d665ac6e81468fbf805c19a93cd07a",
    },
    KnownAnswer {
        curve: Curve::BrainpoolP256r1,
        key: "305a301406072a8648ce3d020106092b2403030208010107034200047b98729b92fbafb7132477c0bdd937a4d7781043cae37c5c8ece6363fa8889ef8ea1c2041361cacf3b182f3c0ce5006e81f10c74fb9b48ea9adb32590071c16d",
        signature: "3045022045596a6a9c76e377befe7aa8de67ff39b6b5a7610ec9703d64709ad31f5bec5e022100a4d2e6441b0d7a07382eb67e58e516ced111f6488eb3825725cf121ae612f2a8",
    },
    KnownAnswer {
        curve: Curve::Secp384r1,
        key: "3076301006072a8648ce3d020106052b8104002203620004aaf5705a41384ff85896ef7cfe18e44347a3090aa3406896a1ad20ddfbfd019fe90a3afaa2dca1fe28a488177b4ff5c4f7e25560a9d625c833df62896f97e7c8117a37c4dbc68f7988279b894f4dfb3191c953d9698b107e9af05bf64dfd29d2",
        signature: "30650230382422308ffba5f21165f5baffd901557f5188be4e615fbfa7267aefbe8d5b47b749f74eb016a2ac4c7401cdbd8f43d5023100ba663025ccdbee71e3ecc31d0a8ea3479b8f1ac40e14eb09c8859641b3709ad0aacb06de6642bdb54d60ef90e7320738",
    },
    KnownAnswer {
        curve: Curve::BrainpoolP384r1,
        key: "307a301406072a8648ce3d020106092b240303020801010b0362000484f16d2c1c96ae174849581804b63e8efe9126ffec79cb8566ce5ca434c4d07ff169d2b26e59fa79a1dd42048c0144eb23d98efa06d3ab93f91b66d686d29cc8f5e07e89b2baf50f78493598861c70c058f7305bd470f6c2ebbd254dd8a10d18",
        signature: "3064023075f404952684474255da1e36ed8b83b59c2d612e5229c1dd9b5aa49c954e0b4d791adb1f6affa482f70271411fd61870023056bddcab3a651b6ef36d3140788365f113452394a290377828eeb729694df1b0fb3c5e695323ea290a62e1b9473ab3b4",
    },
];
