import BrokerCore
import JobModel

/// One connection between a client and the broker: bytes on their way in both directions, in order.
final class Link {
  struct Message {
    var id: UInt64
    var reply: Reply
    var handingOver: [ClaimToken]
  }

  let id: ConnectionID
  let client: Client
  /// Requests on their way to the broker.
  var requests: [(id: UInt64, operation: JobModel.Operation)] = []
  /// Responses that the broker has not written yet.
  var unwritten: [Message] = []
  /// Responses on their way to the client.
  var responses: [Message] = []
  /// Whether the client is there. The broker hears of its end after the last request.
  var isOpenAtClient = true
  /// Whether the broker still serves it.
  var isOpenAtBroker = true
  /// Whether the broker's output buffer takes more.
  var hasRoom = true

  init(_ id: ConnectionID, of client: Client) {
    self.id = id
    self.client = client
  }

  var isIdle: Bool {
    (isOpenAtClient || !isOpenAtBroker) && requests.isEmpty && unwritten.isEmpty
      && (responses.isEmpty || !isOpenAtClient)
  }
}
