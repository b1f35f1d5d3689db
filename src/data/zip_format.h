#pragma once

#include <cstdint>
#include <string_view>

namespace tessera {

// Record signatures and fixed lengths of the zip format, APPNOTE 4.3.
inline constexpr uint32_t kLocalMark = 0x04034b50, kMemberMark = 0x02014b50, kEndMark = 0x06054b50;
inline constexpr uint32_t kEnd64Mark = 0x06064b50, kLocator64Mark = 0x07064b50;
inline constexpr uint64_t kLocalBytes = 30, kMemberBytes = 46, kEndBytes = 22;
inline constexpr uint64_t kEnd64Bytes = 56, kLocator64Bytes = 20;
inline constexpr uint16_t kStored = 0, kDeflated = 8, kZip64Field = 1, kEncryptedFlag = 1;
inline constexpr uint32_t kIn64Field = 0xFFFFFFFF;  // "the value is in the zip64 field"
inline constexpr std::string_view kSuffix = ".npy";

}  // namespace tessera
