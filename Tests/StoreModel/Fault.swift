/// A fault planted into what surrounds the core, to show that the simulation would notice it.
package enum Fault: CaseIterable, Sendable {
  // In the store.
  /// A request with an old attempt counts like one with the present attempt.
  case fenceIgnored
  /// A late report changes a finished job.
  case finishedJobChanges
  /// A claim takes the newest job instead of the oldest.
  case newestFirst
  /// A claim does not count as an attempt.
  case attemptNotCounted
  /// A claim takes jobs of paused types too.
  case pauseIgnored

  // Between the core and its surroundings.
  /// The core is not told of claims that could not be delivered.
  case undeliveredIgnored
  /// The core does not hear heartbeats.
  case heartbeatsUnheard
  /// The core does not hear that a connection ended.
  case disconnectsUnheard
  /// A claim that came back with nothing and missed a signal does not go again.
  case resendsDropped
  /// The claims that wait for a new job are not sent to the store.
  case wakeUpsDropped
  /// A claim that waits for a new job is sent to the store twice.
  case wokenTwice
  /// Claims that ran out are not taken back.
  case lossesDropped
  /// Holders are not told that their job was taken away.
  case revocationsDropped
  /// One event in four is lost.
  case eventsDropped
  /// Reaping does not spare whom the core heard from.
  case sparingIgnored
  /// The core's steady clock jumps with the wall clock.
  case steadyClockJumps
  /// The core is not told when it stood still.
  case stallsHidden
  /// Replies are sent before what they say is durable.
  case toldBeforeDurable
  /// A new broker does not take over the claims in force.
  case recoveryForgotten
  /// The queue that positions are counted in does not hear of jobs that are retried.
  case revivedNotCounted
}
