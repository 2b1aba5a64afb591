//! Reasons: why something was decided, refused, put off or given up, each with a stable code.
//!
//! `docs/errors.md` has a section for each code.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A code and, for people, the particulars.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reason {
    pub code: Code,
    /// A sentence without its full stop: ids, numbers, what AWS answered.
    pub text: String,
}

impl Reason {
    pub fn new(code: Code, text: impl Into<String>) -> Reason {
        Reason { code, text: text.into() }
    }

    /// Tells whether something that was asked for is waited for, so that nothing is tried.
    pub fn is_waited_for(&self) -> bool {
        matches!(self.code, Code::ImageDisabled | Code::TooLong)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.text, self.code)
    }
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// Stable: alarms, scripts and `docs/errors.md` name them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Code {
            $($(#[$doc])* #[serde(rename = $text)] $name,)*
        }

        impl Code {
            pub const ALL: &'static [Code] = &[$(Code::$name,)*];

            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Code::$name => $text,)*
                }
            }
        }
    };
}

codes! {
    // Why a point was asked for, or was not.
    /// A slot of a schedule has come.
    SlotDue = "slot-due",
    /// A machine that a policy covers has stopped.
    MachineStopped = "machine-stopped",
    /// Slots older than the last one were due too, while nothing ran; one image stands for them.
    SlotsCollapsed = "slots-collapsed",
    /// Slots came while nothing ran, and its policy makes up for none.
    SlotsMissed = "slots-missed",
    /// The point is to be at rest, and its machine runs.
    WaitsForStop = "waits-for-stop",
    /// The machine has not stopped within the window of its point.
    WindowClosed = "window-closed",
    /// The machine was started again before its snapshots were begun.
    StartedAgain = "started-again",
    /// The machine is hibernated: stopped, with disks that are not at rest.
    Hibernated = "hibernated",
    /// Somebody asked for it, by a tag or on the command line.
    AskedFor = "asked-for",
    /// The request tag names no policy that selects the machine and has `on: tag`.
    RequestRefused = "request-refused",
    /// A function began a request by tag and did not finish it.
    RequestLeft = "request-left",
    /// EC2 refuses the tag that answers a request; the request ended without it.
    AnswerRefused = "answer-refused",
    /// The event says that the machine carries a request, EC2 says otherwise.
    NotAsked = "not-asked",
    /// The event says stopped, EC2 says otherwise.
    NotStopped = "not-stopped",
    /// No policy asks for this machine on this occasion.
    NotCovered = "not-covered",
    /// The last point of this policy is younger than its `min_interval`.
    TooSoon = "too-soon",
    /// The stop, or the request, has its point already.
    AlreadyRequested = "already-requested",
    /// No policy in force wants the point, or the place, any more.
    Withdrawn = "withdrawn",
    /// A person has called it off.
    Cancelled = "cancelled",
    /// The point was withdrawn, and is wanted again.
    WantedAgain = "wanted-again",
    // Why a machine may not be imaged.
    BilledByUsage = "billed-by-usage",
    ProductCode = "product-code",
    Paravirtual = "paravirtual",
    InstanceStore = "instance-store",
    NoVolumes = "no-volumes",
    SourceUnreadable = "source-unreadable",
    /// The machine has a TPM, and a boot mode with which no image can be registered that has one.
    TpmBootMode = "tpm-boot-mode",
    /// The machine is to be rebooted, which CreateImage alone does.
    NeedsReboot = "needs-reboot",
    /// An image without its root would not boot.
    RootLeftOut = "root-left-out",
    /// The policy leaves out more volumes than one call can be told.
    TooManyLeftOut = "too-many-left-out",
    MachineGone = "machine-gone",
    // Why a machine may not be stopped for its image.
    /// The stack was deployed without the right to stop machines.
    StopStartNotAllowed = "stop-start-not-allowed",
    /// An Auto Scaling group would take it for broken, and replace it.
    AutoScaling = "auto-scaling",
    Spot = "spot",
    StopProtected = "stop-protected",
    /// The machine would lose its instance store.
    InstanceStoreVolumes = "instance-store-volumes",
    /// EC2 could not start the machine again.
    NotStartable = "not-startable",
    /// The stack was deployed without the right to reboot machines.
    RebootNotAllowed = "reboot-not-allowed",
    // How a machine was stopped and started.
    /// The machine is being stopped for a point.
    StoppedForPoint = "stopped-for-point",
    /// Somebody else has stopped it, and it is theirs to start.
    NotOurStop = "not-our-stop",
    /// A machine that was stopped for its image is to run again, and why now; or it does.
    RunsAgain = "runs-again",
    /// The machine was not imaged within the time that it may be down.
    StopTimeout = "stop-timeout",
    /// We stopped it, and EC2 does not start it.
    NotStarted = "not-started",
    // How a step went.
    /// The call was made and its outcome never came.
    OutcomeUnknown = "outcome-unknown",
    /// An artefact of an earlier try was found, and is ours.
    Adopted = "adopted",
    /// AWS asks to wait; nothing failed.
    Throttled = "throttled",
    /// AWS refused the call for now.
    CallFailed = "call-failed",
    /// AWS refused the call, and will again.
    CallRefused = "call-refused",
    /// The image name is already in use; its holder is looked up.
    NameTaken = "name-taken",
    /// Something happened to a record that cannot happen to it where it stands: a mistake in this
    /// program. Nothing was changed.
    IllegalTransition = "illegal-transition",
    SnapshotFailed = "snapshot-failed",
    ImageFailed = "image-failed",
    /// The image differs from its machine.
    ImageDiffers = "image-differs",
    /// An artefact that was made is no longer there.
    ArtefactGone = "artefact-gone",
    /// An artefact has been pending for longer than AWS should take.
    TooLong = "too-long",
    /// Only in records of earlier releases.
    TriesUsedUp = "tries-used-up",
    /// A newer point of the same machine and policy takes its place.
    Superseded = "superseded",
    /// Something holds up the copies of a region, or those under one key.
    CopiesHeldUp = "copies-held-up",
    /// Something holds up the snapshots or the registrations of a region.
    CallsHeldUp = "calls-held-up",
    ReplicaFailed = "replica-failed",
    /// An artefact would have more tags than EC2 takes.
    TagsLeftOut = "tags-left-out",
    /// Another machine may write to a volume that both have attached.
    SharedVolume = "shared-volume",
    /// An artefact says another grade than its point, and EC2 does not let it be put right.
    GradeNotCorrected = "grade-not-corrected",
    /// A replica or an image that was wanted was not there when the ledger was made anew.
    NotRebuilt = "not-rebuilt",
    /// The region of a replica was not listed when the ledger was made anew.
    NotListed = "not-listed",
    // What is lost, and made again.
    /// An artefact that was good is gone.
    Lost = "lost",
    /// An artefact that was lost is made again.
    Healing = "healing",
    /// An artefact was lost again soon after it was made again; a person has to look.
    LostAgain = "lost-again",
    /// So many images of a region are lost that only some are made again in a day.
    MassLoss = "mass-loss",
    /// The key of an image that is there cannot be used.
    KeyUnusable = "key-unusable",
    /// The key of an image that is there was deleted, so that nobody can ever use the image.
    KeyDeleted = "key-deleted",
    /// An image that was good was disabled.
    ImageDisabled = "image-disabled",
    /// An artefact of ours has lost our tag.
    TagGone = "tag-gone",
    /// The audit could not read a region for hours.
    NotAudited = "not-audited",
    KeysNotRead = "keys-not-read",
    // What else is said.
    /// Other accounts are to have it, and cannot use it.
    NotShareable = "not-shareable",
    /// Carries our tag or a name of ours, and is not ours.
    Foreign = "foreign",
    /// An artefact that is ours but not needed, from a call without an outcome.
    Surplus = "surplus",
    /// An event that is about nothing that is in flight.
    NotInFlight = "not-in-flight",
    /// The functions woke each other too often; the sweep goes on.
    TooManyHops = "too-many-hops",
    /// Work was due, and nobody was at it.
    Overdue = "overdue",
    /// Work was overdue for hours, and nobody was at it.
    WorkStandsStill = "work-stands-still",
    /// A policy that selects no machine.
    PolicyMatchesNothing = "policy-matches-nothing",
    /// A machine that no policy selects, though it looks as if one should.
    LooksUncovered = "looks-uncovered",
    /// A finding no longer holds.
    Resolved = "resolved",
    /// A policy in the ledger cannot be read.
    PolicyUnreadable = "policy-unreadable",
    /// The ledger is older than what was made, or it is empty.
    LedgerWentBack = "ledger-went-back",
    /// The ledger lacks records that others of its records name.
    LedgerIncomplete = "ledger-incomplete",
    /// Nothing was ever in force in the ledger, and images of ours exist.
    LedgerEmpty = "ledger-empty",
    /// The table that tells whether the ledger went back does not answer.
    WitnessUnreadable = "witness-unreadable",
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
