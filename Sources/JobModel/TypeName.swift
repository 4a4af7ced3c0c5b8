#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// A type of jobs, as what stands in memory beside the database must tell types apart: by their bytes, as SQL does. To
/// Swift's `String`, "é" in one character and in two is the same.
public struct TypeName: Hashable, Sendable, Comparable, ExpressibleByStringLiteral {
  /// Its name.
  public let text: String

  /// A type by its name.
  public init(_ text: String) { self.text = text }

  /// A type by its name.
  public init(stringLiteral text: String) { self.text = text }

  /// Whether the bytes are the same.
  public static func == (a: TypeName, b: TypeName) -> Bool { a.text.hasBytes(of: b.text) }

  /// What has the same bytes has the same characters.
  public func hash(into hasher: inout Hasher) { hasher.combine(text) }

  /// In the order of characters, and of bytes where those are the same.
  public static func < (a: TypeName, b: TypeName) -> Bool {
    a.text == b.text ? a.text.utf8.lexicographicallyPrecedes(b.text.utf8) : a.text < b.text
  }
}

extension String {
  /// Whether another text is this one byte by byte: `==` takes different encodings of a character for the same.
  package func hasBytes(of other: String) -> Bool {
    var (one, other) = (self, other)
    return one.withUTF8 { one in
      other.withUTF8 { other in
        guard one.count == other.count, let first = one.baseAddress, let second = other.baseAddress else {
          return one.count == other.count
        }
        return memcmp(first, second, one.count) == 0
      }
    }
  }
}

extension String? {
  /// Whether both are nil, or the same byte by byte.
  package func hasBytes(of other: String?) -> Bool {
    guard let self, let other else { return self == nil && other == nil }
    return self.hasBytes(of: other)
  }
}
