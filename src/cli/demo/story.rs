//! The steps, in the order in which they happen.

use super::cast::Cast;
use super::stage::Stage;
use super::{absence, arrival, charging, places, proof, steering};
use crate::cli::NotDone;

/// Tells the whole story. Ends early only when somebody cannot act at all; whatever is merely unexpected is shown, and the story goes on.
pub async fn tell(cast: &Cast, stage: &mut Stage) -> Result<(), NotDone> {
    let emsp_platform = arrival::tell(cast, stage).await?;
    places::tell(cast, stage).await?;
    charging::tell(cast, stage).await?;
    steering::tell(cast, stage).await?;
    proof::tell(cast, stage, &emsp_platform).await?;
    absence::tell(cast, stage).await
}
