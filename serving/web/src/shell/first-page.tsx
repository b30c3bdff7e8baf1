/** The address without a page: leads to what the caller's role sees first. */
import { Navigate } from "@tanstack/react-router";
import { useRights } from "../data/rights";
import { firstPage } from "./templates";

export function FirstPage() {
  const { roles } = useRights();
  return <Navigate to={firstPage(roles)} search={((before: object) => before) as never} replace />;
}
