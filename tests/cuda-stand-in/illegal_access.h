// Says which kernel read or wrote where it must not, when the host's own protection notices.
#pragma once

namespace stand_in {

// From now on, in this thread too.
void catch_illegal_accesses();

}  // namespace stand_in
